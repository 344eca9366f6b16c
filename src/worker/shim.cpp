// What tch lacks of libtorch: switches for determinism, loading CUDA at run time, memory layouts, and optimizer steps
// that touch every parameter in one call. Every function catches what libtorch throws and gives it back as a
// string that the caller frees with kilter_free; no error is a null pointer.

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_clamp_max.h>
#include <ATen/ops/_foreach_clamp_min.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

char *copy(const std::string &text) { return strdup(text.c_str()); }

// Runs the body; what it throws becomes the answer.
template <typename F> char *guarded(F &&body) {
  try {
    body();
    return nullptr;
  } catch (const c10::Error &error) {
    return copy(error.what_without_backtrace());
  } catch (const std::exception &error) {
    return copy(error.what());
  } catch (...) {
    return copy("an unknown C++ exception");
  }
}

enum Rule { SGD = 0, ADAM = 1, ADAMW = 2 };
enum Clip { NONE = 0, NORM = 1, VALUE = 2 };

// The constants of a rule, in the order of the Rust side.
struct Rates {
  double momentum, dampening, weight_decay, beta1, beta2, eps;
  int32_t nesterov;
};

// An optimizer: its parameters and its state, so that a step passes nothing but numbers.
struct Optimizer {
  int32_t rule;
  Rates rates;
  std::vector<at::Tensor> params, first, second, counts;
  bool started = false;

  // The parameters that have a gradient, with their state, for the fused operators.
  struct Active {
    std::vector<at::Tensor> params, grads, first, second, counts;
  };

  Active active() const {
    Active out;
    for (size_t i = 0; i < params.size(); i++) {
      at::Tensor grad = params[i].grad();
      if (!grad.defined())
        continue;
      // The fused operators walk memory, not indices: a gradient laid out otherwise than its parameter is copied.
      if (grad.strides() != params[i].strides())
        grad = at::empty_like(params[i]).copy_(grad);
      out.params.push_back(params[i]);
      out.grads.push_back(std::move(grad));
      if (!first.empty())
        out.first.push_back(first[i]);
      if (!second.empty())
        out.second.push_back(second[i]);
      if (!counts.empty())
        out.counts.push_back(counts[i]);
    }
    return out;
  }

  // The norm of all gradients together. Nobody waits for it on the host.
  static at::Tensor norm_of(const Active &on) {
    return at::linalg_vector_norm(at::stack(at::_foreach_norm(on.grads, 2)), 2);
  }

  at::Tensor norm() const {
    c10::AutoGradMode no_grad(false);
    Active on = active();
    return on.params.empty() ? at::zeros({}) : norm_of(on);
  }

  void step(double lr, int32_t clip, double bound) {
    c10::AutoGradMode no_grad(false);
    Active on = active();
    if (on.params.empty())
      return;
    if (clip == NORM) {
      // As torch.nn.utils.clip_grad_norm_.
      at::_foreach_mul_(on.grads, norm_of(on).add(1e-6).reciprocal().mul(bound).clamp_max(1.0));
    } else if (clip == VALUE) {
      at::_foreach_clamp_min_(on.grads, -bound);
      at::_foreach_clamp_max_(on.grads, bound);
    }
    if (rule == SGD) {
      at::_fused_sgd_(on.params, on.grads, on.first, rates.weight_decay, rates.momentum, lr, rates.dampening,
                      rates.nesterov != 0, /*maximize=*/false, /*is_first_step=*/!started);
    } else {
      at::_foreach_add_(on.counts, 1);
      auto fused = [&](auto &&rule_step) {
        rule_step(on.params, on.grads, on.first, on.second, at::TensorList{}, on.counts, lr, rates.beta1, rates.beta2,
                  rates.weight_decay, rates.eps, /*amsgrad=*/false, /*maximize=*/false);
      };
      if (rule == ADAM)
        fused([](auto &&...arguments) { at::_fused_adam_(arguments...); });
      else
        fused([](auto &&...arguments) { at::_fused_adamw_(arguments...); });
    }
    started = true;
    for (auto &param : params)
      param.mutable_grad().reset();
  }
};

} // namespace

extern "C" {

// Frees a string that one of these functions gave.
void kilter_free(char *text) { free(text); }

// Sets the switches that numbers depend on, for the whole process: threads, deterministic algorithms, no TF32, no
// choice of algorithms by timing, denormal numbers flushed to zero. Memory that libtorch hands out uninitialised is
// left so: filling it would only cost time, because nothing here reads it.
char *kilter_set_up(int32_t threads) {
  return guarded([&] {
    at::set_num_threads(threads);
    auto &context = at::globalContext();
    context.setDeterministicAlgorithms(true, /*warn_only=*/false);
    context.setDeterministicFillUninitializedMemory(false);
    context.setBenchmarkCuDNN(false);
    context.setDeterministicCuDNN(true);
    context.setAllowTF32CuDNN(false);
    context.setAllowTF32CuBLAS(false);
    at::Context::setFlushDenormal(true);
  });
}

// The instruction set that libtorch chose for this process: DEFAULT, AVX2, AVX512.
char *kilter_cpu_capability() {
  try {
    return copy(at::get_cpu_capability());
  } catch (...) {
    return copy("unknown");
  }
}

// Loads libtorch's CUDA half from a file; it registers itself with the CPU half. Must come before anything that asks
// libtorch whether there is CUDA, because the answer is kept.
char *kilter_load_library(const char *path) {
  return guarded([&] {
    if (dlopen(path, RTLD_NOW | RTLD_GLOBAL) == nullptr)
      throw std::runtime_error(dlerror());
  });
}

// Lays a parameter of four dimensions out with its channels last, in place; others are left alone. By a copy into that
// layout, because contiguous() takes a single channel for last already and leaves strides that convolutions read as
// channels first.
char *kilter_channels_last(at::Tensor *tensor) {
  return guarded([&] {
    if (tensor->dim() != 4)
      return;
    c10::AutoGradMode no_grad(false);
    auto laid = at::empty(tensor->sizes(), tensor->options().requires_grad(false), at::MemoryFormat::ChannelsLast);
    laid.copy_(*tensor);
    tensor->set_data(laid);
  });
}

// Makes an optimizer over n parameters, whose tensors it shares. The rule is one of Rule.
char *kilter_optimizer_new(int32_t rule, const Rates *rates, at::Tensor **params, size_t n, Optimizer **out) {
  return guarded([&] {
    c10::AutoGradMode no_grad(false);
    auto made = std::make_unique<Optimizer>();
    made->rule = rule;
    made->rates = *rates;
    for (size_t i = 0; i < n; i++) {
      const at::Tensor &param = *params[i];
      made->params.push_back(param);
      if (rule != SGD || rates->momentum != 0.0)
        made->first.push_back(at::zeros_like(param));
      if (rule != SGD) {
        made->second.push_back(at::zeros_like(param));
        made->counts.push_back(at::zeros({}, param.options().dtype(at::kFloat).requires_grad(false)));
      }
    }
    *out = made.release();
  });
}

// One step with this learning rate, after bounding the gradients if wanted; then forgets the gradients.
char *kilter_optimizer_step(Optimizer *optimizer, double lr, int32_t clip, double bound) {
  return guarded([&] { optimizer->step(lr, clip, bound); });
}

// The norm of the gradients as they are, before a step bounds and forgets them: a tensor of one float.
char *kilter_optimizer_norm(Optimizer *optimizer, at::Tensor **out) {
  return guarded([&] { *out = new at::Tensor(optimizer->norm()); });
}

// Frees an optimizer; its parameters live on.
void kilter_optimizer_free(Optimizer *optimizer) { delete optimizer; }

} // extern "C"
