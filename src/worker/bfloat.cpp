// Operators of language models in bf16 on a GPU, where libtorch's own way moves several times the bytes: a vocabulary's logits are
// most of what such a step reads and writes. Nothing here is CUDA's own, so that tests compare it with libtorch on the CPU.

#include "bfloat.hpp"
#include "shim.hpp"

#include <ATen/autocast_mode.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/_softmax.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_put.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// Matrix units read rows that begin at multiples of this many numbers; other products are several times slower.
constexpr int64_t ALIGNED = 64;

int64_t aligned(int64_t width) { return (width + ALIGNED - 1) / ALIGNED * ALIGNED; }

// A matrix that is the left part of one with aligned rows, as the whole; nothing where it is not. The memory must be that matrix's
// alone, so that what is beyond is nobody's.
std::optional<at::Tensor> whole(const at::Tensor &part) {
  int64_t rows = part.size(0), width = aligned(part.size(1));
  auto bytes = static_cast<size_t>(rows * width) * part.element_size();
  if (part.stride(1) != 1 || part.stride(0) != width || part.storage_offset() != 0 || part.storage().nbytes() != bytes)
    return std::nullopt;
  return part.as_strided({rows, width}, {width, 1});
}

at::Tensor beyond(const at::Tensor &whole, int64_t width) { return whole.narrow(1, width, whole.size(1) - width); }

at::Tensor in_bf16(const at::Tensor &x) { return x.to(at::kBFloat16); }

// A product with a matrix of unaligned width, as one of aligned width. What is beyond holds minus infinity: to softmax nothing.
struct WideProduct : Function<WideProduct> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &input, const at::Tensor &weight,
                            const std::optional<at::Tensor> &bias) {
    at::AutoDispatchBelowADInplaceOrView below;
    int64_t width = weight.size(0);
    at::Tensor x = in_bf16(input).contiguous();
    at::Tensor matrix = at::empty({aligned(width), weight.size(1)}, x.options());
    matrix.narrow(0, 0, width).copy_(weight);
    matrix.narrow(0, width, matrix.size(0) - width).zero_();
    at::Tensor y = at::mm(x, matrix.t());
    if (bias.has_value())
      y.narrow(1, 0, width).add_(*bias);
    beyond(y, width).fill_(-std::numeric_limits<float>::infinity());
    context->save_for_backward({x, matrix});
    context->saved_data["width"] = width;
    context->saved_data["bias"] = bias.has_value();
    context->saved_data["input"] = input.scalar_type();
    return y.narrow(1, 0, width);
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    int64_t width = context->saved_data["width"].toInt();
    at::Tensor own = gradients[0], x, weight, bias;
    std::optional<at::Tensor> gradient = whole(own);
    if (!gradient.has_value()) {
      gradient = at::empty({own.size(0), aligned(width)}, saved[0].options());
      gradient->narrow(1, 0, width).copy_(own);
    }
    beyond(*gradient, width).zero_();
    if (context->needs_input_grad(0))
      x = at::mm(*gradient, saved[1]).to(context->saved_data["input"].toScalarType());
    if (context->needs_input_grad(1))
      weight = at::mm(gradient->t(), saved[0]).narrow(0, 0, width).to(at::kFloat);
    if (context->saved_data["bias"].toBool() && context->needs_input_grad(2))
      bias = gradient->sum(0, false, at::kFloat).narrow(0, 0, width);
    return {x, weight, bias};
  }
};

// The mean log loss of logits `[tokens, vocabulary]` over the tokens that have a target, 0 without any. libtorch writes the logits
// and their logarithms of probabilities down in f32, and their gradients too. Here the gradient is made while the logits are read,
// in their own type, and is all that is kept: the probabilities, and at the target what is missing to 1, summed up of the others so
// that it stays right where it is small.
struct TokenLoss : Function<TokenLoss> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &logits, const at::Tensor &target, int64_t none) {
    at::AutoDispatchBelowADInplaceOrView below;
    int64_t width = logits.size(1);
    at::Tensor there = target.ne(none).unsqueeze(1);
    at::Tensor at = target.clamp_min(0);
    at::Tensor rows = at::arange(logits.size(0), target.options());
    at::Tensor gradient = at::_softmax(whole(logits).value_or(logits), 1, false);
    at::Tensor own = gradient.gather(1, at.unsqueeze(1)).to(at::kFloat);
    const c10::List<std::optional<at::Tensor>> places{rows, at};
    at::index_put_(gradient, places, at::zeros({}, gradient.options()));
    at::Tensor others = gradient.sum({1}, true, at::kFloat);
    at::index_put_(gradient, places, others.squeeze(1).neg().to(gradient.scalar_type()));
    // Either is exact where the other is not. A token that is told to be impossible costs 87, as much as f32 can say of one.
    at::Tensor loss = at::where(others.lt(0.5), others.clamp_max(0.5).neg().log1p().neg(),
                                own.clamp_min(std::numeric_limits<float>::min()).log().neg());
    at::Tensor share = there.to(at::kFloat) / there.sum(at::kFloat).clamp_min(1.0);
    context->saved_data["gradient"] = gradient;
    context->saved_data["share"] = share;
    context->saved_data["width"] = width;
    return (loss * share).sum();
  }

  // Once only: the gradient is made of what was kept, in its memory.
  static variable_list backward(AutogradContext *context, variable_list gradients) {
    at::Tensor gradient = context->saved_data["gradient"].toTensor();
    gradient.mul_(context->saved_data["share"].toTensor() * gradients[0]);
    int64_t width = context->saved_data["width"].toInt();
    context->saved_data.clear();
    return {gradient.narrow(1, 0, width), at::Tensor(), at::Tensor()};
  }
};

// Ends casting for a while.
struct Uncast {
  c10::DeviceType device;
  bool before;
  explicit Uncast(c10::DeviceType device) : device(device), before(at::autocast::is_autocast_enabled(device)) {
    at::autocast::set_autocast_enabled(device, false);
  }
  Uncast(const Uncast &) = delete;
  Uncast &operator=(const Uncast &) = delete;
  ~Uncast() { at::autocast::set_autocast_enabled(device, before); }
};

} // namespace

bool suits_wide_product(const at::Tensor &x, const at::Tensor &weight) {
  return x.is_cuda() && at::autocast::is_autocast_enabled(at::kCUDA) &&
         at::autocast::get_autocast_dtype(at::kCUDA) == at::kBFloat16 && weight.size(0) > 1024 && weight.size(0) % 8 != 0;
}

at::Tensor wide_product(const at::Tensor &x, const at::Tensor &weight, const std::optional<at::Tensor> &bias) {
  Uncast off(x.device().type());
  return WideProduct::apply(x, weight, bias);
}

extern "C" {

// `wide_product`, for a test.
char *kilter_wide_product(at::Tensor *x, at::Tensor *weight, at::Tensor *bias, at::Tensor **out) {
  return guarded([&] {
    *out = new at::Tensor(wide_product(*x, *weight, bias == nullptr ? std::nullopt : std::optional<at::Tensor>(*bias)));
  });
}

// The mean log loss of logits `[tokens, vocabulary]` in bf16, over targets `[tokens]` that are not `none`.
char *kilter_token_loss(at::Tensor *logits, at::Tensor *target, int64_t none, at::Tensor **out) {
  return guarded([&] {
    Uncast off(logits->device().type());
    *out = new at::Tensor(TokenLoss::apply(*logits, *target, none));
  });
}

// Layer norm of what is in bf16, in bf16: sums are in f32 inside. Autocast would write x and the result down in f32.
char *kilter_layer_norm(at::Tensor *x, const int64_t *shape, size_t dims, at::Tensor *weight, at::Tensor *bias, double eps,
                        at::Tensor **out) {
  return guarded([&] {
    Uncast off(x->device().type());
    auto cast = [](at::Tensor *tensor) {
      return tensor == nullptr ? std::optional<at::Tensor>() : std::optional<at::Tensor>(in_bf16(*tensor));
    };
    *out = new at::Tensor(at::layer_norm(*x, at::IntArrayRef(shape, dims), cast(weight), cast(bias), eps, true));
  });
}

// Ends casting to bf16 on a GPU for this thread, until it is resumed; says whether there was any.
int32_t kilter_pause_bf16() {
  bool casts = at::autocast::is_autocast_enabled(at::kCUDA) && at::autocast::get_autocast_dtype(at::kCUDA) == at::kBFloat16;
  if (casts)
    at::autocast::set_autocast_enabled(at::kCUDA, false);
  return casts ? 1 : 0;
}

void kilter_resume_bf16() { at::autocast::set_autocast_enabled(at::kCUDA, true); }

} // extern "C"
