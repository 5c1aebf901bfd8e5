// A file system table that passes every call on to the real one and keeps a model of what a disk would hold
// after a power cut: bytes of a file count once it was synced, names in a directory once that directory was.
// Images of that disk can be written out after every call.
#pragma once

#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/file_system.h"

namespace smallmind {

class DiskModel {
 public:
  enum class Names { synced, all };  // which names an image has; bytes are always only those that were synced

  // The one model at work; everything below `root` belongs to it. after_call runs after each changing call.
  static inline DiskModel* active = nullptr;

  DiskModel(std::filesystem::path root, std::function<void()> after_call)
      : after_call_(std::move(after_call)), root_path_(std::move(root)), root_(std::make_shared<Node>()) {
    root_->kind = Node::directory;
    adopt(root_path_, *root_);
    active = this;
  }
  ~DiskModel() { active = nullptr; }
  DiskModel(const DiskModel&) = delete;
  DiskModel& operator=(const DiskModel&) = delete;

  static const FileSystem& table() {
    static const FileSystem kTable = make_table();
    return kTable;
  }

  void write_image(const std::filesystem::path& to, Names names) const { write_node(*root_, to, names); }

 private:
  struct Node {
    enum Kind { file, directory, symlink } kind = file;
    std::string bytes, synced_bytes;  // a symlink's target in both
    std::map<std::string, std::shared_ptr<Node>> names, synced_names;
  };

  // What lies there already is on disk.
  static void adopt(const std::filesystem::path& path, Node& node) {
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      auto child = std::make_shared<Node>();
      if (entry.is_symlink()) {
        child->kind = Node::symlink;
        child->bytes = std::filesystem::read_symlink(entry.path()).string();
      } else if (entry.is_directory()) {
        child->kind = Node::directory;
        adopt(entry.path(), *child);
      } else {
        std::ifstream in(entry.path(), std::ios::binary);
        child->bytes.assign(std::istreambuf_iterator<char>(in), {});
      }
      child->synced_bytes = child->bytes;
      node.names[entry.path().filename().string()] = child;
    }
    node.synced_names = node.names;
  }

  static void write_node(const Node& node, const std::filesystem::path& to, Names names) {
    if (node.kind == Node::symlink) return std::filesystem::create_symlink(node.bytes, to);
    if (node.kind == Node::file) {
      std::ofstream(to, std::ios::binary) << node.synced_bytes;
      return;
    }
    std::filesystem::create_directories(to);
    for (const auto& [name, child] : names == Names::all ? node.names : node.synced_names)
      write_node(*child, to / name, names);
  }

  Node* find(const std::filesystem::path& path) const {
    Node* node = root_.get();
    for (const auto& part : path.lexically_relative(root_path_)) {
      if (part == ".") continue;
      const auto it = node->names.find(part.string());
      if (it == node->names.end()) return nullptr;
      node = it->second.get();
    }
    return node;
  }
  std::shared_ptr<Node>& name_at(const std::filesystem::path& path) const {
    return find(path.parent_path())->names[path.filename().string()];
  }
  std::shared_ptr<Node> create(const char* path, Node::Kind kind, std::string bytes = "") const {
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->bytes = node->synced_bytes = std::move(bytes);
    return name_at(path) = node;
  }

  static FileSystem make_table() {
    static const FileSystem& real = posix_file_system();
    FileSystem t = real;
    t.open = [](const char* path, int flags, unsigned mode) {
      const int fd = real.open(path, flags, mode);
      if (fd < 0) return fd;
      DiskModel& disk = *active;
      if ((flags & O_CREAT) != 0) {
        disk.open_[fd] = disk.create(path, Node::file).get();
        disk.after_call_();
      } else {
        disk.open_[fd] = disk.find(path);
      }
      return fd;
    };
    t.write = [](int fd, const void* bytes, std::size_t count) {
      const ssize_t written = real.write(fd, bytes, count);
      if (written > 0)
        active->open_[fd]->bytes.append(static_cast<const char*>(bytes), static_cast<std::size_t>(written));
      active->after_call_();
      return written;
    };
    t.fsync = [](int fd) {
      Node& node = *active->open_[fd];
      node.synced_bytes = node.bytes;
      node.synced_names = node.names;
      active->after_call_();
      return 0;
    };
    t.rename = [](const char* from, const char* to) {
      const int result = real.rename(from, to);
      if (result == 0) {
        const std::filesystem::path path = from;
        active->name_at(to) = active->name_at(from);
        active->find(path.parent_path())->names.erase(path.filename().string());
        active->after_call_();
      }
      return result;
    };
    t.unlink = [](const char* name) {
      const std::filesystem::path path = name;
      active->find(path.parent_path())->names.erase(path.filename().string());
      return real.unlink(name);
    };
    t.symlink = [](const char* target, const char* link) {
      const int result = real.symlink(target, link);
      if (result == 0) active->create(link, Node::symlink, target), active->after_call_();
      return result;
    };
    t.mkdir = [](const char* path, unsigned mode) {
      const int result = real.mkdir(path, mode);
      if (result == 0) active->create(path, Node::directory), active->after_call_();
      return result;
    };
    return t;
  }

  std::function<void()> after_call_;
  std::filesystem::path root_path_;
  std::shared_ptr<Node> root_;
  std::map<int, Node*> open_;
};

}  // namespace smallmind
