// What tch lacks of libtorch: switches for determinism, loading CUDA at run time, memory layouts, and optimizer steps
// that touch every parameter in one call. Every function catches what libtorch throws and gives it back as a
// string that the caller frees with kilter_free; no error is a null pointer.

#include "shim.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_amp_foreach_non_finite_check_and_unscale.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_addcdiv.h>
#include <ATen/ops/_foreach_addcmul.h>
#include <ATen/ops/_foreach_clamp_max.h>
#include <ATen/ops/_foreach_clamp_min.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_foreach_sqrt.h>
#include <ATen/ops/_foreach_sub.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <memory>
#include <optional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// libtorch's generator of a CUDA device, or of the CPU (-1).
at::Generator default_generator(int32_t cuda) {
  if (cuda < 0)
    return at::detail::getDefaultCPUGenerator();
  return at::globalContext().defaultGenerator(at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(cuda)));
}

enum Rule { SGD = 0, ADAM = 1, ADAMW = 2, RMSPROP = 3, MUON = 4 };
// What a parameter is to its optimizer, as bits.
enum Role { DECAYS = 1, MATRIX = 2 };
enum Clip { NONE = 0, NORM = 1, VALUE = 2 };

// The constants of a rule, in the order of the Rust side.
struct Rates {
  double momentum, dampening, weight_decay, beta1, beta2, eps;
  int32_t nesterov, centered, ns_steps;
};

// The nearest orthogonal matrix, roughly, in bf16: Newton and Schulz's iteration with the coefficients of Muon, as
// torch.optim.Muon.
at::Tensor orthogonal(const at::Tensor &matrix, int32_t steps) {
  bool tall = matrix.size(0) > matrix.size(1);
  at::Tensor x = (tall ? matrix.t() : matrix).to(at::kBFloat16);
  x = x.div(at::linalg_vector_norm(x, 2).clamp_min(1e-7));
  for (int32_t i = 0; i < steps; i++) {
    at::Tensor gram = at::mm(x, x.t());
    x = at::addmm(x, at::addmm(gram, gram, gram, -4.7750, 2.0315), x, 3.4445);
  }
  return tall ? x.t() : x;
}

// An optimizer: its parameters and its state, so that a step passes nothing but numbers.
struct Optimizer {
  int32_t rule;
  Rates rates;
  // By parameter, each empty where the rule has no use for it. `first`: momentum, or Adam's mean of gradients. `second`:
  // the mean of their squares. `third`: RMSprop's mean of gradients, where it is centered. Of Muon's matrices the second is
  // empty.
  std::vector<at::Tensor> params, first, second, third, counts;
  // Of Role.
  std::vector<uint8_t> roles;
  bool started = false;
  // 1 where the next step is not to be made, because its loss or its gradients are no finite numbers.
  at::Tensor skip;
  // Whether its gradients were scaled: then a step that is not made is nothing unusual, and others follow.
  bool scaled = false;
  // The learning rate on the device, where steps are replayed: a number would be the same in all of them.
  at::Tensor rate;

  // The parameters that have a gradient, with their state, for operators over all of them.
  struct Active {
    std::vector<at::Tensor> params, grads, first, second, third, counts;
    std::vector<uint8_t> roles;

    // Takes the i-th of the lists of `from` over; `from` is an Active or an Optimizer.
    template <typename From> void take(const From &from, size_t i, at::Tensor grad) {
      params.push_back(from.params[i]);
      grads.push_back(std::move(grad));
      roles.push_back(from.roles[i]);
      auto also = [i](auto &to, const auto &list) {
        if (!list.empty())
          to.push_back(list[i]);
      };
      also(first, from.first);
      also(second, from.second);
      also(third, from.third);
      also(counts, from.counts);
    }

    // Those that have this role, or those that have not.
    Active group(Role role, bool wanted) const {
      Active out;
      for (size_t i = 0; i < params.size(); i++)
        if (((roles[i] & role) != 0) == wanted)
          out.take(*this, i, grads[i]);
      return out;
    }
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
      out.take(*this, i, std::move(grad));
    }
    return out;
  }

  // The norm of all gradients together. Nobody waits for it on the host.
  static at::Tensor norm_of(const Active &on) {
    return at::linalg_vector_norm(at::stack(at::_foreach_norm(on.grads, 2)), 2);
  }

  // What is kept for each parameter from step to step. A rule with more state adds its vectors here, at the end.
  std::vector<std::vector<at::Tensor> *> slots() { return {&first, &second, &counts, &third}; }

  at::Tensor norm() const {
    c10::AutoGradMode no_grad(false);
    Active on = active();
    return on.params.empty() ? at::zeros({}) : norm_of(on);
  }

  // Divides all gradients by a scale, in place. Where one of them is not finite the next step is not made: what is given is 1
  // then, else 0. Nobody waits for it on the host.
  at::Tensor unscale(const at::Tensor &scale) {
    c10::AutoGradMode no_grad(false);
    std::vector<at::Tensor> grads;
    for (auto &param : params)
      if (param.grad().defined())
        grads.push_back(param.grad());
    at::Tensor found = at::zeros({}, scale.options());
    if (!grads.empty())
      at::_amp_foreach_non_finite_check_and_unscale_(grads, found, scale.reciprocal());
    scaled = true;
    skip = found;
    return found;
  }

  // Whether a step with scaled gradients is left out, where the host has to know: by rules without fused operators, and until
  // there was a step, because SGD's momentum begins with the first. It waits for the device.
  bool left_out() const {
    bool fused = rule == SGD || rule == ADAM || rule == ADAMW;
    return scaled && !(fused && started) && skip.item<float>() != 0.0f;
  }

  std::optional<at::Tensor> guard() const { return skip.defined() ? std::optional<at::Tensor>(skip) : std::nullopt; }

  void forget() {
    skip.reset();
    scaled = false;
    for (auto &param : params)
      param.mutable_grad().reset();
  }

  void step_part(Active &on, double lr, double weight_decay) {
    if (rule == SGD)
      return rate.defined() ? sgd(on, rate, weight_decay) : sgd(on, lr, weight_decay);
    if (rule == RMSPROP)
      return rmsprop(on, lr, weight_decay);
    if (rule == MUON) {
      muon(on.group(MATRIX, true), lr, weight_decay);
      Active rest = on.group(MATRIX, false);
      if (!rest.params.empty())
        adam(rest, lr, weight_decay);
      return;
    }
    if (rate.defined())
      adam(on, rate, weight_decay);
    else
      adam(on, lr, weight_decay);
  }

  // The rate is a number, or a tensor on the device.
  template <typename Rate> void sgd(Active &on, const Rate &lr, double weight_decay) const {
    at::_fused_sgd_(on.params, on.grads, on.first, weight_decay, rates.momentum, lr, rates.dampening, rates.nesterov != 0,
                    /*maximize=*/false, /*is_first_step=*/!started, /*grad_scale=*/{}, guard());
  }

  template <typename Rate> void adam(Active &on, const Rate &lr, double weight_decay) const {
    at::_foreach_add_(on.counts, 1);
    auto fused = [&](auto &&rule_step) {
      rule_step(on.params, on.grads, on.first, on.second, at::TensorList{}, on.counts, lr, rates.beta1, rates.beta2,
                weight_decay, rates.eps, /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/std::optional<at::Tensor>{},
                guard());
    };
    if (rule == ADAM)
      fused([](auto &&...arguments) { at::_fused_adam_(arguments...); });
    else
      fused([](auto &&...arguments) { at::_fused_adamw_(arguments...); });
    // A step that is not made does not count.
    if (scaled)
      at::_foreach_sub_(on.counts, std::vector<at::Tensor>(on.counts.size(), skip));
  }

  // As torch.optim.Muon with adjust_lr_fn="match_rms_adamw". A kernel is a matrix with a row for each output channel.
  void muon(const Active &on, double lr, double weight_decay) const {
    for (size_t i = 0; i < on.params.size(); i++) {
      const at::Tensor &param = on.params[i], &grad = on.grads[i], &buffer = on.first[i];
      buffer.lerp_(grad, 1 - rates.momentum);
      at::Tensor update = rates.nesterov != 0 ? grad.lerp(buffer, rates.momentum) : buffer;
      at::Tensor matrix = update.reshape({update.size(0), -1});
      double longer = static_cast<double>(std::max(matrix.size(0), matrix.size(1)));
      param.mul_(1 - lr * weight_decay);
      param.add_(orthogonal(matrix, rates.ns_steps).reshape(param.sizes()), -lr * 0.2 * std::sqrt(longer));
    }
  }

  // As torch.optim.RMSprop; `beta2` is its alpha. The gradients are its own to change.
  void rmsprop(Active &on, double lr, double weight_decay) const {
    double alpha = rates.beta2;
    if (weight_decay != 0.0)
      at::_foreach_add_(on.grads, on.params, weight_decay);
    at::_foreach_mul_(on.second, alpha);
    at::_foreach_addcmul_(on.second, on.grads, on.grads, 1 - alpha);
    std::vector<at::Tensor> scale;
    if (rates.centered != 0) {
      at::_foreach_lerp_(on.third, on.grads, 1 - alpha);
      scale = at::_foreach_addcmul(on.second, on.third, on.third, -1);
      at::_foreach_sqrt_(scale);
    } else {
      scale = at::_foreach_sqrt(on.second);
    }
    at::_foreach_add_(scale, rates.eps);
    if (rates.momentum == 0.0)
      return at::_foreach_addcdiv_(on.params, on.grads, scale, -lr);
    at::_foreach_mul_(on.first, rates.momentum);
    at::_foreach_addcdiv_(on.first, on.grads, scale, 1);
    at::_foreach_add_(on.params, on.first, -lr);
  }

  void step(double lr, int32_t clip, double bound) {
    c10::AutoGradMode no_grad(false);
    Active on = active();
    if (on.params.empty() || left_out())
      return forget();
    if (clip == NORM) {
      // As torch.nn.utils.clip_grad_norm_.
      at::_foreach_mul_(on.grads, norm_of(on).add(1e-6).reciprocal().mul(bound).clamp_max(1.0));
    } else if (clip == VALUE) {
      at::_foreach_clamp_min_(on.grads, -bound);
      at::_foreach_clamp_max_(on.grads, bound);
    }
    for (bool decay : {true, false}) {
      Active part = on.group(DECAYS, decay);
      if (!part.params.empty())
        step_part(part, lr, decay ? rates.weight_decay : 0.0);
    }
    started = true;
    forget();
  }
};

} // namespace

extern "C" {

// Frees a string that one of these functions gave.
void kilter_free(char *text) { free(text); }

// Sets the switches that numbers depend on, for the whole process: threads, deterministic algorithms and TF32 as wanted,
// no choice of algorithms by timing, denormal numbers flushed to zero. Memory that libtorch hands out uninitialised is
// left so: filling it would only cost time, because nothing here reads it.
char *kilter_set_up(int32_t threads, int32_t deterministic, int32_t tf32) {
  return guarded([&] {
    at::set_num_threads(threads);
    auto &context = at::globalContext();
    context.setDeterministicAlgorithms(deterministic != 0, /*warn_only=*/false);
    context.setDeterministicFillUninitializedMemory(false);
    context.setBenchmarkCuDNN(false);
    context.setDeterministicCuDNN(deterministic != 0);
    context.setAllowTF32CuDNN(tf32 != 0);
    context.setAllowTF32CuBLAS(tf32 != 0);
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

// From now on this thread computes what can be in fewer bits so, on the CPU or on CUDA: bf16 (1), f16 (2), or as it is (0).
// What was kept of weights in fewer bits is forgotten.
char *kilter_autocast(int32_t cuda, int32_t bits) {
  return guarded([&] {
    auto device = cuda != 0 ? at::kCUDA : at::kCPU;
    at::autocast::set_autocast_dtype(device, bits == 2 ? at::kHalf : at::kBFloat16);
    at::autocast::set_autocast_enabled(device, bits != 0);
    at::autocast::set_autocast_cache_enabled(true);
    at::autocast::clear_cache();
  });
}

// Moves every tensor of a list towards the one of another at its place, by this part of the way.
char *kilter_lerp(at::Tensor **tensors, at::Tensor **towards, size_t n, double weight) {
  return guarded([&] {
    c10::AutoGradMode no_grad(false);
    std::vector<at::Tensor> from, to;
    for (size_t i = 0; i < n; i++) {
      from.push_back(*tensors[i]);
      to.push_back(towards[i]->detach());
    }
    if (n > 0)
      at::_foreach_lerp_(from, to, weight);
  });
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

// Makes an optimizer over n parameters, whose tensors it shares. The rule is one of Rule; `roles` has the bits of Role for
// each parameter.
char *kilter_optimizer_new(int32_t rule, const Rates *rates, at::Tensor **params, const uint8_t *roles, size_t n,
                           Optimizer **out) {
  return guarded([&] {
    c10::AutoGradMode no_grad(false);
    auto made = std::make_unique<Optimizer>();
    made->rule = rule;
    made->rates = *rates;
    for (size_t i = 0; i < n; i++) {
      const at::Tensor &param = *params[i];
      made->params.push_back(param);
      made->roles.push_back(roles[i]);
      bool adam = rule == ADAM || rule == ADAMW || rule == MUON, matrix = rule == MUON && (roles[i] & MATRIX) != 0;
      if (adam || rates->momentum != 0.0)
        made->first.push_back(at::zeros_like(param));
      if (rule != SGD)
        made->second.push_back(matrix ? at::zeros({0}) : at::zeros_like(param));
      if (rates->centered != 0)
        made->third.push_back(at::zeros_like(param));
      if (adam) {
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

// From now on steps of the rules with fused operators read the rate from the device.
char *kilter_optimizer_rate(Optimizer *optimizer) {
  return guarded([&] {
    c10::AutoGradMode no_grad(false);
    auto options = optimizer->params.at(0).options().dtype(at::kFloat).requires_grad(false);
    optimizer->rate = at::zeros({}, options);
  });
}

// Sets that rate.
char *kilter_optimizer_set_rate(Optimizer *optimizer, double lr) {
  return guarded([&] { optimizer->rate.fill_(lr); });
}

// How many slots of state there are, used or not.
size_t kilter_optimizer_slots(Optimizer *optimizer) { return optimizer->slots().size(); }

// A state tensor of a parameter, sharing the optimizer's memory; null where the rule does not use the slot.
char *kilter_optimizer_state(Optimizer *optimizer, size_t slot, size_t param, at::Tensor **out) {
  return guarded([&] {
    auto slots = optimizer->slots();
    *out = nullptr;
    if (slot < slots.size() && param < slots[slot]->size())
      *out = new at::Tensor((*slots[slot])[param]);
  });
}

// Whether a step was made; sets it first, where `set` is 0 or 1.
int32_t kilter_optimizer_started(Optimizer *optimizer, int32_t set) {
  if (set >= 0)
    optimizer->started = set != 0;
  return optimizer->started ? 1 : 0;
}

// Divides the gradients by a scale that lies where they do. Where one of them is not finite the next step is not made, and what is
// given is 1 instead of 0.
char *kilter_optimizer_unscale(Optimizer *optimizer, at::Tensor *scale, at::Tensor **overflow) {
  return guarded([&] { *overflow = new at::Tensor(optimizer->unscale(*scale)); });
}

// On a GPU the next step is not made where this loss is no finite number; nobody waits for it. Only rules with fused
// operators can do so.
char *kilter_optimizer_guard(Optimizer *optimizer, at::Tensor *loss) {
  return guarded([&] {
    c10::AutoGradMode no_grad(false);
    if (!loss->is_cuda())
      return;
    // A number less itself is 0 where it is finite, and else no number. isfinite() asks the device four times for that, which a small
    // step feels.
    at::Tensor number = loss->detach();
    at::Tensor bad = number.sub(number).ne_(0).to(at::kFloat).squeeze();
    optimizer->skip = optimizer->skip.defined() ? at::maximum(optimizer->skip, bad) : bad;
  });
}

// Forgets the gradients.
void kilter_optimizer_forget(Optimizer *optimizer) { optimizer->forget(); }

// The norm of the gradients of each parameter, in their order: a tensor of floats. 0 where there is none.
char *kilter_optimizer_norms(Optimizer *optimizer, at::Tensor **out) {
  return guarded([&] {
    c10::AutoGradMode no_grad(false);
    std::vector<at::Tensor> norms;
    for (auto &param : optimizer->params) {
      at::Tensor grad = param.grad();
      norms.push_back(grad.defined() ? at::linalg_vector_norm(grad, 2) : at::zeros({}, param.options()));
    }
    *out = new at::Tensor(norms.empty() ? at::zeros({0}) : at::stack(norms));
  });
}

// Frees an optimizer; its parameters live on.
void kilter_optimizer_free(Optimizer *optimizer) { delete optimizer; }

// The state of the generator of a CUDA device, or of the CPU (-1): a tensor of bytes.
char *kilter_generator_state(int32_t cuda, at::Tensor **out) {
  return guarded([&] {
    at::Generator generator = default_generator(cuda);
    std::lock_guard<std::mutex> lock(generator.mutex());
    *out = new at::Tensor(generator.get_state());
  });
}

// Sets that state.
char *kilter_set_generator_state(int32_t cuda, at::Tensor *state) {
  return guarded([&] {
    at::Generator generator = default_generator(cuda);
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(*state);
  });
}

} // extern "C"
