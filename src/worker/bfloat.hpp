// Operators in bf16 on a GPU that others make use of.

#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

// Whether a product of `[tokens, in]` with a matrix `[out, in]` is one that `wide_product` is faster with.
bool suits_wide_product(const at::Tensor &x, const at::Tensor &weight);

// The product in bf16, which is the left part of a matrix with aligned rows.
at::Tensor wide_product(const at::Tensor &x, const at::Tensor &weight, const std::optional<at::Tensor> &bias);
