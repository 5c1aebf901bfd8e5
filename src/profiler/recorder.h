// Records zones of all threads to a file while the program works; read it back with recording.h.
//
//   Recorder recorder("run.smprof");
//   ... work ...
//   recorder.stop();
//
// Each thread puts its events into a ring of its own (event_ring.h), without locks, heap or system calls; a
// thread of the recorder empties the rings, by default before they are a quarter full but at least every
// 100 ms: it takes a core from the threads that it watches, some 0.4 ms each time. A ring that is full drops
// events, counted and reported per thread, and never holds up the work. SIGKILL leaves a file that is
// readable up to the last drain. The file's section "hardware" says how fast the core's clock was before and
// after, and what the hardware counters of the recorded threads counted, or why there are none. What it does
// not see: intervals that were open when the recording began or ended.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

namespace smallmind {

struct RecorderOptions {
  std::size_t ring_words = std::size_t{1} << 19;  // 4 MiB per thread; a power of two
  // Between two visits to the rings; 0: as the rings fill.
  std::chrono::milliseconds drain_every{0};
};

struct RecorderSummary {
  std::uint64_t events = 0, dropped = 0, bytes = 0;
};

class RecorderSession;

class Recorder {
 public:
  // Starts recording. One recorder at a time: Error{usage} otherwise; Error{bad_input} where the file cannot
  // be written.
  explicit Recorder(const std::filesystem::path& path, const RecorderOptions& options = {});
  ~Recorder();  // stops, without complaint
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // Adds a named JSON text to the file: "environment", "workload", "roofline", ... Thread-safe.
  void section(std::string_view name, std::string_view json);

  // Ends the recording and completes the file. Throws Error{bad_input} if something could not be written.
  RecorderSummary stop();

 private:
  std::unique_ptr<RecorderSession> session_;
};

}  // namespace smallmind
