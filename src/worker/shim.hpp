// What the C++ files of the worker share: how errors get to Rust.

#pragma once

#include <c10/util/Exception.h>

#include <cstring>
#include <exception>
#include <string>

inline char *copy(const std::string &text) { return strdup(text.c_str()); }

// Runs the body; what it throws becomes the answer, a string that the caller frees with kilter_free. No error is null.
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
