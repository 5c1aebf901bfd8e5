// Any bytes as a recording; what is accepted can be walked in both orders and summed.
#include <vector>

#include "fuzz/target.h"
#include "profiler/op_table.h"
#include "profiler/recording.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace smallmind;
  return fuzz::run(data, size, [](std::span<const std::byte> bytes) {
    std::vector<std::uint64_t> aligned((bytes.size() + 7) / 8);
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(aligned.data()));
    const Recording recording =
        Recording::parse(std::as_bytes(std::span(aligned)).first(bytes.size()), "fuzz");
    for (std::size_t t = 0; t < recording.threads().size(); ++t)
      for (const EventOrder order : {EventOrder::inner_first, EventOrder::outer_first}) {
        std::uint64_t count = 0;
        EventCursor events = recording.events(t, order);
        for (; const ZoneEvent* event = events.next(); ++count)
          fuzz::require(event->site < recording.sites().size() && event->begin <= event->end);
        fuzz::require(count == recording.threads()[t].events);
      }
    make_op_table(recording, {.by_layer = true});
    for_each_pass(recording, {}, [](const RecordedPass&, const OpTable&) {});
  });
}
