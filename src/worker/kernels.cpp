// Operators for the CPU that libtorch has only in a slower form.

#include "bfloat.hpp"
#include "shim.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorIterator.h>
#include <ATen/Version.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_unsafe_view.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mkldnn_convolution.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <mutex>
#include <optional>

// The same code for several instruction sets, of which the processor takes the best. What is below adds no floats and rounds
// each product for itself, so they give the same bits.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_SET __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_SET
#endif
#define INLINE inline __attribute__((always_inline))

namespace {

// Numbers of 64 bits that are computed side by side; those below need only 32 of them, and their products all.
typedef uint64_t Lanes __attribute__((vector_size(64)));
constexpr int WIDTH = 8;
// How many random words a call of `words` makes.
constexpr int64_t GROUP = 8 * WIDTH;

// Philox4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011): the group of this number of the words that
// belong to a key. Sixteen counters; the i-th word of each stands beside those of the others.
INLINE void words(uint64_t group, uint64_t key, uint32_t *out) {
  const Lanes low = Lanes{} + 0xffffffffu;
  Lanes a[2], b[2], c[2], d[2];
  for (int half = 0; half < 2; half++) {
    Lanes counter = (Lanes{0, 1, 2, 3, 4, 5, 6, 7} + WIDTH * half) + 2 * WIDTH * group;
    a[half] = counter & low;
    b[half] = counter >> 32;
    c[half] = d[half] = Lanes{};
  }
  uint64_t first = key & 0xffffffffu, second = key >> 32;
  for (int round = 0; round < 10; round++) {
    for (int half = 0; half < 2; half++) {
      Lanes x = a[half] * 0xD2511F53u, y = c[half] * 0xCD9E8D57u;
      a[half] = (y >> 32) ^ b[half] ^ first;
      b[half] = y & low;
      c[half] = (x >> 32) ^ d[half] ^ second;
      d[half] = x & low;
    }
    first = (first + 0x9E3779B9u) & 0xffffffffu;
    second = (second + 0xBB67AE85u) & 0xffffffffu;
  }
  for (int half = 0; half < 2; half++)
    for (int lane = 0; lane < WIDTH; lane++) {
      uint32_t *to = out + half * WIDTH + lane;
      to[0] = static_cast<uint32_t>(a[half][lane]);
      to[2 * WIDTH] = static_cast<uint32_t>(b[half][lane]);
      to[4 * WIDTH] = static_cast<uint32_t>(c[half][lane]);
      to[6 * WIDTH] = static_cast<uint32_t>(d[half][lane]);
    }
}

// Elements that are dropped together: which, and what the others are multiplied with. `keep` and `y` belong to the elements from
// `begin` to `end`.
struct Drop {
  uint64_t key;
  uint32_t below;
  float scale;
};

FOR_EACH_SET void drop(Drop how, int64_t begin, int64_t end, const float *x, float *y, uint8_t *__restrict keep) {
  uint32_t random[GROUP];
  for (int64_t at = begin; at < end;) {
    int64_t skip = at % GROUP, count = std::min(GROUP - skip, end - at);
    words(at / GROUP, how.key, random);
    const uint32_t *drawn = random + skip;
    uint8_t *kept = keep + (at - begin);
    for (int64_t i = 0; i < count; i++)
      kept[i] = drawn[i] >= how.below;
    const float *from = x + (at - begin);
    float *to = y + (at - begin);
#pragma GCC ivdep
    for (int64_t i = 0; i < count; i++)
      to[i] = drawn[i] >= how.below ? from[i] * how.scale : 0.0f;
    at += count;
  }
}

FOR_EACH_SET void drop_again(float scale, int64_t count, const float *__restrict x, float *__restrict y,
                             const uint8_t *__restrict keep) {
  for (int64_t i = 0; i < count; i++)
    y[i] = keep[i] != 0 ? x[i] * scale : 0.0f;
}

// Calls `body` for ranges of elements, by libtorch's own threads; where a range begins and ends depends on their number, so nothing
// else may.
template <typename F> void by_ranges(const at::Tensor &dense, F &&body) {
  auto all = at::TensorIteratorConfig()
                 .check_all_same_dtype(false)
                 .resize_outputs(false)
                 .declare_static_shape(dense.sizes())
                 .add_output(dense)
                 .build();
  const char *base = static_cast<const char *>(dense.const_data_ptr());
  int64_t size = dense.element_size();
  all.for_each([&](char **data, const int64_t *, int64_t count) {
    int64_t begin = (data[0] - base) / size;
    body(begin, begin + count);
  });
}

// A number that names a sequence of random words, from libtorch's generator.
uint64_t drawn_key() {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  std::lock_guard<std::mutex> lock(generator.mutex());
  return at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
}

// Dropout whose choices are made sixteen at a time, and do not depend on threads or instruction sets.
struct Dropout : torch::autograd::Function<Dropout> {
  static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &input, double p, bool overwrite) {
    at::Tensor x = input.contiguous();
    at::Tensor y = overwrite && x.is_same(input) ? x : at::empty_like(x);
    at::Tensor keep = at::empty(x.sizes(), x.options().dtype(at::kByte));
    double below = std::nearbyint(p * 4294967296.0), scale = 1.0 / (1.0 - p);
    Drop how{drawn_key(), static_cast<uint32_t>(std::min(below, 4294967295.0)), static_cast<float>(scale)};
    const float *from = x.const_data_ptr<float>();
    float *to = y.mutable_data_ptr<float>();
    uint8_t *kept = keep.mutable_data_ptr<uint8_t>();
    by_ranges(keep, [&](int64_t begin, int64_t end) { drop(how, begin, end, from + begin, to + begin, kept + begin); });
    if (y.is_same(input))
      context->mark_dirty({input});
    context->save_for_backward({keep});
    context->saved_data["scale"] = scale;
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                 torch::autograd::variable_list gradients) {
    at::Tensor keep = context->get_saved_variables()[0], gradient = gradients[0].contiguous();
    at::Tensor out = at::empty_like(gradient);
    float scale = static_cast<float>(context->saved_data["scale"].toDouble());
    const float *from = gradient.const_data_ptr<float>();
    float *to = out.mutable_data_ptr<float>();
    const uint8_t *kept = keep.const_data_ptr<uint8_t>();
    by_ranges(keep, [&](int64_t begin, int64_t end) {
      drop_again(scale, end - begin, from + begin, to + begin, kept + begin);
    });
    return {out, at::Tensor(), at::Tensor()};
  }
};

// The product of many tokens `[batch, seq, features]` with a matrix. libtorch gives matrices to MKL, which leaves half of an AVX-512
// processor idle where Intel did not make it. oneDNN does not, and gets what is a convolution: over images one pixel high.
struct Product : torch::autograd::Function<Product> {
  // `[batch, seq, features]` as images with their channels last, and back.
  static at::Tensor image(const at::Tensor &x) { return x.unsqueeze(1).permute({0, 3, 1, 2}); }
  static at::Tensor tokens(const at::Tensor &image) { return image.permute({0, 2, 3, 1}).squeeze(1); }
  static at::Tensor kernel(const at::Tensor &weight) { return weight.unsqueeze(-1).unsqueeze(-1); }

  // Whether that is worth it: with fewer multiplications, what oneDNN does beside them takes longer than it saves.
  static bool suits(const at::Tensor &x, const at::Tensor &weight) {
    static const bool is_wide = at::get_cpu_capability() == "AVX512";
    return is_wide && x.is_cpu() && x.dim() == 3 && x.size(0) > 1 && x.scalar_type() == at::kFloat &&
           x.numel() * weight.size(0) >= 1 << 22 && !at::autocast::is_autocast_enabled(at::kCPU);
  }

  static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &input, const at::Tensor &weight,
                            const std::optional<at::Tensor> &bias) {
    // What comes out is no view of something that gradients know, so that it can be overwritten.
    at::AutoDispatchBelowADInplaceOrView below;
    at::Tensor x = input.contiguous();
    context->save_for_backward({x, weight});
    context->saved_data["bias"] = bias.has_value();
    return tokens(at::mkldnn_convolution(image(x), kernel(weight), bias, {0, 0}, {1, 1}, {1, 1}, 1));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                 torch::autograd::variable_list gradients) {
    auto saved = context->get_saved_variables();
    bool has_bias = context->saved_data["bias"].toBool();
    std::array<bool, 3> wanted{context->needs_input_grad(0), context->needs_input_grad(1),
                               has_bias && context->needs_input_grad(2)};
    auto [x, weight, bias] = at::convolution_backward(
        image(gradients[0].contiguous()), image(saved[0]), kernel(saved[1]), at::IntArrayRef{saved[1].size(0)}, {1, 1}, {0, 0},
        {1, 1}, /*transposed=*/false, {0, 0}, /*groups=*/1, wanted);
    return {wanted[0] ? tokens(x) : x, wanted[1] ? weight.view(saved[1].sizes()) : weight, bias};
  }
};

} // namespace

extern "C" {

// The product of x, `[…, in]`, with a matrix `[out, in]`, and a bias that may be null. What comes out may be overwritten.
char *kilter_linear(at::Tensor *x, at::Tensor *weight, at::Tensor *bias, at::Tensor **out) {
  return guarded([&] {
    std::optional<at::Tensor> added = bias == nullptr ? std::nullopt : std::optional<at::Tensor>(*bias);
    if (Product::suits(*x, *weight)) {
      *out = new at::Tensor(Product::apply(*x, *weight, added));
    } else if (x->dim() > 2) {
      // libtorch's own way gives a view, and gradients through a view that was overwritten take three copies.
      auto shape = x->sizes().vec();
      shape.back() = weight->size(0);
      at::Tensor rows = x->reshape({-1, x->size(-1)});
      if (suits_wide_product(rows, *weight))
        *out = new at::Tensor(wide_product(rows, *weight, added).view(shape));
      else
        *out = new at::Tensor(at::_unsafe_view(at::linear(rows, *weight, added), shape));
    } else {
      *out = new at::Tensor(at::linear(*x, *weight, added));
    }
  });
}

// The random words of a group, 64 of them, for a test of the generator.
void kilter_random_words(uint64_t group, uint64_t key, uint32_t *out) { words(group, key, out); }

// Dropout of floats on the CPU: zeroes elements with probability p (below 1) and divides the others by 1 - p. With `overwrite` in
// place, where the tensor is dense; its values must be no one else's.
char *kilter_dropout(at::Tensor *x, double p, int32_t overwrite, at::Tensor **out) {
  return guarded([&] { *out = new at::Tensor(Dropout::apply(*x, p, overwrite != 0)); });
}

} // extern "C"
