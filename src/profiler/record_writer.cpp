// See record_writer.h.
#include "profiler/record_writer.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/error.h"

namespace smallmind {
namespace {

std::string reason() {
  return std::generic_category().message(errno);
}

std::span<const std::byte> as_bytes(const auto& value) {
  return std::as_bytes(std::span(&value, 1));
}

}  // namespace

RecordWriter::RecordWriter(const std::filesystem::path& path) : path_(path) {
  descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor_ < 0)
    fail_input("[record] a file to write expected, opening {} failed: {}", path.string(), reason());
  const std::string_view magic(record::kMagic);
  write_all({std::as_bytes(std::span(magic)), as_bytes(record::kVersion)});
  if (!error_.empty()) {
    ::close(descriptor_);
    fail_input("{}", error_);
  }
}

RecordWriter::~RecordWriter() {
  ::close(descriptor_);
}

void RecordWriter::write_all(std::initializer_list<std::span<const std::byte>> parts) {
  iovec pieces[8];
  int count = 0;
  std::size_t left = 0;
  for (const auto& part : parts) {
    pieces[count++] = {const_cast<std::byte*>(part.data()), part.size()};
    left += part.size();
  }
  for (int first = 0; left > 0 && error_.empty();) {
    const ssize_t done = ::writev(descriptor_, pieces + first, count - first);
    if (done < 0) {
      if (errno == EINTR) continue;
      error_ = fmt::format("[record] room for the recording expected, writing {} failed after {} bytes: {}",
                           path_.string(), written_, reason());
      return;
    }
    written_ += static_cast<std::uint64_t>(done);
    left -= static_cast<std::size_t>(done);
    for (auto skip = static_cast<std::size_t>(done); skip > 0 && first < count;) {
      const std::size_t step = std::min(skip, pieces[first].iov_len);
      pieces[first].iov_base = static_cast<char*>(pieces[first].iov_base) + step;
      pieces[first].iov_len -= step;
      skip -= step;
      if (pieces[first].iov_len == 0) ++first;
    }
    while (first < count && pieces[first].iov_len == 0) ++first;
  }
}

void RecordWriter::chunk(record::Chunk type, std::uint32_t thread, std::string_view payload) {
  constexpr std::byte kZeros[8]{};
  const record::ChunkHeader header{static_cast<std::uint32_t>(type), thread, payload.size()};
  write_all({as_bytes(header), std::as_bytes(std::span(payload)),
             std::span(kZeros).first((8 - payload.size() % 8) % 8)});
}

void RecordWriter::section(std::string_view name, std::string_view json) {
  const std::uint64_t length = name.size();
  std::string payload(reinterpret_cast<const char*>(&length), sizeof(length));
  payload.append(name).append(json);
  chunk(record::Chunk::section, 0, payload);
}

// Follows the stream's clock over whole events, and writes the names of the sites that are defined.
void RecordWriter::note(std::span<const std::uint64_t> words, StreamState& state) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto tag = static_cast<std::uint32_t>(words[i] >> record::kTagShift);
    if (tag < record::kFirstEscape) [[likely]] {
      state.last_end += words[i] >> record::kDurationBits & record::kMostDelta;
      ++state.events;
      continue;
    }
    const auto escape = static_cast<record::Escape>(tag);
    if (escape == record::Escape::wide) {
      state.last_end += words[i + 1];
      ++state.events;
    } else if (escape == record::Escape::define && names_.insert(words[i + 1]).second) {
      const auto* name = reinterpret_cast<const char*>(static_cast<std::uintptr_t>(words[i + 1]));
      const std::uint64_t id = words[i + 1];
      std::string payload(reinterpret_cast<const char*>(&id), sizeof(id));
      chunk(record::Chunk::string, 0, payload.append(name));
    }
    i += record::extra_words(escape);
  }
}

void RecordWriter::drain(EventRing& ring, StreamState& state) {
  const EventRing::Pieces pieces = ring.peek();
  if (pieces.size() == 0) return;
  const std::uint64_t ticks = state.last_end;
  // An event may lie across the ring's end; where there are two pieces, they are looked through as one.
  std::span<const std::uint64_t> whole = pieces.first;
  if (!pieces.second.empty()) {
    joined_.assign(pieces.first.begin(), pieces.first.end());
    joined_.insert(joined_.end(), pieces.second.begin(), pieces.second.end());
    whole = joined_;
  }
  note(whole, state);
  const record::ChunkHeader header{static_cast<std::uint32_t>(record::Chunk::events), state.thread,
                                   sizeof(ticks) + whole.size_bytes()};
  write_all({as_bytes(header), as_bytes(ticks), std::as_bytes(whole)});
  ring.release(pieces.size());
}

}  // namespace smallmind
