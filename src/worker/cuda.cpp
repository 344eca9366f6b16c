// What runs on CUDA alone, without CUDA's headers, which the libtorch for processors does not come with: what libtorch says of any
// device in general terms, and graphs, whose functions are looked up by name in its CUDA half once that is loaded.

#include "shim.hpp"

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <cstddef>
#include <cstdint>
#include <dlfcn.h>
#include <memory>
#include <stdexcept>
#include <utility>

namespace {

c10::Device cuda(int32_t index) { return {c10::kCUDA, static_cast<c10::DeviceIndex>(index)}; }

// at::cuda::CUDAGraph of libtorch 2.11: its functions by the names that its compiler gave them. A member function takes the object
// first.
struct Functions {
  using Pool = std::pair<unsigned long long, unsigned long long>;
  void (*make)(void *, bool);
  void (*destroy)(void *);
  // The mode is CUDA's enum: what other threads do meanwhile is not its business (1).
  void (*begin)(void *, Pool, int);
  void (*end)(void *);
  void (*replay)(void *);

  static const Functions &get() {
    static const Functions found = [] {
      Functions functions{};
      find(functions.make, "_ZN2at4cuda9CUDAGraphC1Eb");
      find(functions.destroy, "_ZN2at4cuda9CUDAGraphD1Ev");
      find(functions.begin, "_ZN2at4cuda9CUDAGraph13capture_beginESt4pairIyyE21cudaStreamCaptureMode");
      find(functions.end, "_ZN2at4cuda9CUDAGraph11capture_endEv");
      find(functions.replay, "_ZN2at4cuda9CUDAGraph6replayEv");
      return functions;
    }();
    return found;
  }

  template <typename F> static void find(F &to, const char *name) {
    void *found = dlsym(RTLD_DEFAULT, name);
    if (found == nullptr)
      throw std::runtime_error(std::string("libtorch's CUDA half is not loaded, or has no ") + name);
    to = reinterpret_cast<F>(found);
  }
};

// What a device was asked to do between two calls, to be asked for again at once.
struct Graph {
  // The object takes 104 bytes in libtorch 2.11.
  alignas(std::max_align_t) unsigned char object[256] = {};
  const Functions &functions = Functions::get();
  c10::Device device;
  c10::Stream before;
  bool records = false;

  explicit Graph(c10::Device device) : device(device), before(guard()->getStream(device)) { functions.make(object, false); }
  Graph(const Graph &) = delete;
  Graph &operator=(const Graph &) = delete;
  ~Graph() {
    if (records)
      guard()->exchangeStream(before);
    functions.destroy(object);
  }

  static const c10::impl::DeviceGuardImplInterface *guard() { return c10::impl::getDeviceGuardImpl(c10::kCUDA); }

  // A stream of its own, because the usual one cannot be recorded.
  void begin() {
    guard()->synchronizeDevice(device.index());
    // What is recorded gets memory of its own; what the steps before it left unused would be missing there.
    c10::getDeviceAllocator(c10::kCUDA)->emptyCache();
    before = guard()->exchangeStream(guard()->getStreamFromGlobalPool(device, false));
    records = true;
    functions.begin(object, {0, 0}, 1);
  }

  void end() {
    functions.end(object);
    guard()->exchangeStream(before);
    records = false;
  }
};

} // namespace

extern "C" {

// How many bytes of a CUDA device are free.
char *kilter_cuda_free(int32_t index, uint64_t *bytes) {
  return guarded([&] { *bytes = c10::getDeviceAllocator(c10::kCUDA)->getMemoryInfo(cuda(index).index()).first; });
}

// Gives the memory of GPUs that libtorch keeps for later back to the driver.
char *kilter_cuda_give_back() {
  return guarded([] { c10::getDeviceAllocator(c10::kCUDA)->emptyCache(); });
}

// Makes an empty graph for a CUDA device.
char *kilter_graph_new(int32_t index, Graph **out) {
  return guarded([&] { *out = new Graph(cuda(index)); });
}

// From now on what this thread asks of the device is noted and not done.
char *kilter_graph_begin(Graph *graph) {
  return guarded([&] { graph->begin(); });
}

// Until here.
char *kilter_graph_end(Graph *graph) {
  return guarded([&] { graph->end(); });
}

// Does it, with the tensors that were used then. Nobody waits for it.
char *kilter_graph_replay(Graph *graph) {
  return guarded([&] { graph->functions.replay(graph->object); });
}

// Frees a graph, and with it the memory that its tensors had.
void kilter_graph_free(Graph *graph) { delete graph; }

} // extern "C"
