// See record_writer.h.
#include "profiler/record_writer.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
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
  small(std::as_bytes(std::span(magic)));
  small(as_bytes(record::kVersion));
  flush();
  if (!error_.empty()) {
    ::close(descriptor_);
    fail_input("{}", error_);
  }
}

RecordWriter::~RecordWriter() {
  flush();
  ::close(descriptor_);
}

void RecordWriter::small(std::span<const std::byte> bytes) {
  small_.insert(small_.end(), bytes.begin(), bytes.end());
  if (pieces_.empty() || pieces_.back().at != nullptr) pieces_.push_back({nullptr, 0});
  pieces_.back().bytes += bytes.size();
}

void RecordWriter::flush() {
  std::vector<iovec> parts;
  parts.reserve(pieces_.size());
  std::byte* next_small = small_.data();
  for (const Piece& piece : pieces_) {
    void* at = piece.at != nullptr ? const_cast<void*>(piece.at) : next_small;
    if (piece.at == nullptr) next_small += piece.bytes;
    parts.push_back({at, piece.bytes});
  }
  for (std::size_t first = 0; first < parts.size() && error_.empty();) {
    constexpr std::size_t kMostParts = 1024;  // UIO_MAXIOV
    const ssize_t done =
        ::writev(descriptor_, &parts[first], static_cast<int>(std::min(parts.size() - first, kMostParts)));
    if (done < 0) {
      if (errno == EINTR) continue;
      error_ = fmt::format("[record] room for the recording expected, writing {} failed after {} bytes: {}",
                           path_.string(), written_, reason());
      break;
    }
    written_ += static_cast<std::uint64_t>(done);
    for (auto skip = static_cast<std::size_t>(done); skip > 0;) {
      iovec& part = parts[first];
      const std::size_t step = std::min(skip, part.iov_len);
      part = {static_cast<char*>(part.iov_base) + step, part.iov_len - step};
      skip -= step;
      if (part.iov_len == 0) ++first;
    }
  }
  for (const Drained& drained : drained_) drained.ring->release(drained.words);
  small_.clear();
  pieces_.clear();
  drained_.clear();
}

void RecordWriter::chunk(record::Chunk type, std::uint32_t thread, std::string_view payload) {
  constexpr std::byte kZeros[8]{};
  small(as_bytes(record::ChunkHeader{static_cast<std::uint32_t>(type), thread, payload.size()}));
  small(std::as_bytes(std::span(payload)));
  small(std::span(kZeros).first((8 - payload.size() % 8) % 8));
}

void RecordWriter::section(std::string_view name, std::string_view json) {
  const std::uint64_t length = name.size();
  std::string payload(reinterpret_cast<const char*>(&length), sizeof(length));
  payload.append(name).append(json);
  chunk(record::Chunk::section, 0, payload);
}

void RecordWriter::drain(EventRing& ring, StreamState& state) {
  const EventRing::Pieces words = ring.peek();
  if (words.size() == 0) return;
  for (const char* name : ring.names().subspan(state.names)) {
    ++state.names;
    const std::uint64_t id = reinterpret_cast<std::uintptr_t>(name);
    if (!names_.insert(id).second) continue;
    std::string payload(reinterpret_cast<const char*>(&id), sizeof(id));
    chunk(record::Chunk::string, 0, payload.append(name));
  }
  small(as_bytes(record::ChunkHeader{static_cast<std::uint32_t>(record::Chunk::events), state.thread,
                                     words.size() * sizeof(std::uint64_t)}));
  for (const auto& part : {words.first, words.second})
    if (!part.empty()) pieces_.push_back({part.data(), part.size_bytes()});
  drained_.push_back({&ring, words.size()});
}

}  // namespace smallmind
