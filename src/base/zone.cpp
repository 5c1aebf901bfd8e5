// What becomes of waits while a sink watches; see zone.h.
#include "base/zone.h"

#if SM_ZONES

namespace smallmind {

void detail::hand_over_kept_wait(const ZoneSink& sink) noexcept {
  ZoneWait& wait = thread_zones.wait;
  sink.complete(sink, {wait.name, {.kind = wait.kind}, wait.begin, wait.end, {}}, thread_zones.of_sink);
  wait.name = nullptr;
}

void keep_wait(const ZoneSink& sink, const ZoneWait& wait) noexcept {
  detail::ThreadZones& thread = detail::thread_zones;
  thread.chained_end = 0;
  if (thread.wait.name != nullptr) detail::hand_over_kept_wait(sink);
  thread.wait = wait;
}

void record_wait(const ZoneSink& sink, const ZoneWait& wait) noexcept {
  keep_wait(sink, wait);
  if (detail::thread_zones.open == nullptr) detail::hand_over_kept_wait(sink);
}

void complete_interval(const ZoneSink& sink, const ZoneRecord& record) noexcept {
  detail::ThreadZones& thread = detail::thread_zones;
  sink.complete(sink,
                {record.name, record.work, record.begin, record.end, record.taken, detail::kept_wait(thread)},
                thread.of_sink);
  thread.wait.name = nullptr;
}

}  // namespace smallmind

#endif
