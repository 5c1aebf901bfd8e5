// Checkpoints survive: every failing call, a power cut after every call, kill -9 at any moment, flipped bits.
#include "train/checkpoint.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/log.h"
#include "tests/train/disk_model.h"
#include "tests/train/train_fixture.h"

namespace smallmind {
namespace {

namespace fs = std::filesystem;

// Fails the n-th call that changes something.
struct FailingCalls {
  static inline int countdown = -1;
  static inline int error = EIO;

  static bool strikes() {
    if (countdown < 0 || countdown-- != 0) return false;
    errno = error;
    return true;
  }
  static const FileSystem& table() {
    static const FileSystem& real = posix_file_system();
    static const FileSystem kTable = [] {
      FileSystem t = real;
      t.open = [](const char* p, int f, unsigned m) { return strikes() ? -1 : real.open(p, f, m); };
      t.write = [](int fd, const void* b, std::size_t n) {
        return strikes() ? ssize_t{-1} : real.write(fd, b, n);
      };
      t.fsync = [](int fd) { return strikes() ? -1 : real.fsync(fd); };
      t.rename = [](const char* a, const char* b) { return strikes() ? -1 : real.rename(a, b); };
      t.symlink = [](const char* a, const char* b) { return strikes() ? -1 : real.symlink(a, b); };
      t.mkdir = [](const char* p, unsigned m) { return strikes() ? -1 : real.mkdir(p, m); };
      return t;
    }();
    return kTable;
  }
};

class CheckpointTest : public TrainTest {
 protected:
  CheckpointTest() : model(small_model(small_config("gpt2", *tokenizer))), optimizer(*model, {}) {
    for (std::size_t i = 0; i < optimizer.first_moments().size(); ++i) {
      optimizer.first_moments()[i] = static_cast<float>(i % 13) * 0.1f;
      optimizer.second_moments()[i] = static_cast<float>(i % 7) * 0.01f;
    }
    static const LogSink kSilent{[](void*, LogLevel, std::string_view) noexcept {}, nullptr, LogLevel::error};
    former_ = set_log_sink(&kSilent);
  }
  ~CheckpointTest() override { set_log_sink(former_); }

  // The save of one step, as the trainer does it.
  void save(RunDirectory& run, std::int64_t step, std::int64_t keep = 0) {
    TrainerState state = start(*model, settings(100));
    state.step = state.updates = step;
    state.val_loss = 2.0 / static_cast<double>(step + 1);
    state.best_step = step;
    state.best_val_loss = *state.val_loss;
    write_checkpoint(run.checkpoint_path(step), *model, optimizer, *tokenizer, state, run.file_system());
    run.publish(step, true);
    run.prune(keep);
  }

  // `latest` and `best` name whole checkpoints, and a process that starts now finds one of `steps`.
  void expect_survives(const fs::path& path, std::int64_t older, std::int64_t newer,
                       const std::string& when) {
    for (const char* link : {"latest", "best"})
      EXPECT_NO_THROW(verify_checkpoint(path / link)) << link << ' ' << when;
    RunDirectory run(path);
    const auto found = run.newest_sound_checkpoint();
    ASSERT_TRUE(found.has_value()) << when;
    const std::int64_t step = read_trainer_state(*found).step;
    EXPECT_TRUE(step == older || step == newer) << step << ' ' << when;
    EXPECT_EQ(fs::read_symlink(path / "latest").string(), found->filename().string());
    for (const auto& entry : fs::directory_iterator(path))
      EXPECT_EQ(entry.path().string().find(".damaged"), std::string::npos) << when;
    const auto loaded = small_model(model->config(), 99);
    AdamW moments(*loaded, {});
    ASSERT_NO_THROW(load_checkpoint(*found, *loaded, moments)) << when;
    EXPECT_TRUE(same_bits(loaded->values(), model->values())) << when;
  }

  fs::path run_path() const { return folder.path() / "run"; }

  std::unique_ptr<Model> model;
  AdamW optimizer;

 private:
  const LogSink* former_;
};

TEST_F(CheckpointTest, GivesEverythingBack) {
  RunDirectory run(run_path());
  TrainerState state = start(*model, settings(100));
  state.step = 17;
  state.updates = 15;
  state.skipped = 2;
  state.train_loss = 1.0 / 3.0;
  state.lr_scale = 0.25;
  state.rollbacks = 2;
  state.data_path = "text \"with quotes\"";
  state.field = "body";
  for (int i = 0; i < 200; ++i) state.norm_window.add(i / 7.0);
  write_checkpoint(run.checkpoint_path(17), *model, optimizer, *tokenizer, state);
  const fs::path path = run.checkpoint_path(17);
  EXPECT_NO_THROW(verify_checkpoint(path));
  const TrainerState back = read_trainer_state(path);
  EXPECT_EQ(back.step, 17);
  EXPECT_EQ(back.train_loss, state.train_loss);
  EXPECT_FALSE(back.val_loss.has_value());
  EXPECT_EQ(back.lr_scale, 0.25);
  EXPECT_EQ(back.rollbacks, 2);
  EXPECT_EQ(back.skipped, 2);
  EXPECT_EQ(back.data_path, state.data_path);
  EXPECT_EQ(back.field, "body");
  EXPECT_EQ(back.norm_window.values(), state.norm_window.values());
  EXPECT_EQ(back.norm_window.count(), 200);
  EXPECT_TRUE(back.identity.settings == state.identity.settings);
  EXPECT_TRUE(differences(state.identity, back.identity).empty());
  const auto loaded = small_model(model->config(), 99);
  AdamW moments(*loaded, {});
  load_checkpoint(path, *loaded, moments);
  EXPECT_TRUE(same_bits(loaded->values(), model->values()));
  loaded->visit([&](const Param& param) {
    const auto begin = static_cast<std::size_t>(param.data - loaded->values().data());
    const auto size = static_cast<std::size_t>(param.size());
    EXPECT_TRUE(same_bits(moments.first_moments().subspan(begin, size),
                          optimizer.first_moments().subspan(begin, size)));
    EXPECT_TRUE(same_bits(moments.second_moments().subspan(begin, size),
                          optimizer.second_moments().subspan(begin, size)));
  });
  EXPECT_EQ(moments.updates(), 15);
}

TEST_F(CheckpointTest, EveryFailingCallLeavesAWholeCheckpoint) {
  const FileSystem& table = FailingCalls::table();
  for (const int error : {EIO, ENOSPC}) {
    FailingCalls::error = error;
    int failures = 0;
    for (int n = 0;; ++n) {
      fs::remove_all(run_path());
      bool failed = false;
      {
        RunDirectory run(run_path(), table);
        save(run, 1);
        FailingCalls::countdown = n;
        try {
          save(run, 2);
        } catch (const Error& e) {
          failed = true;
          EXPECT_EQ(e.code(), ErrorCode::bad_input) << e.what();
        }
        FailingCalls::countdown = -1;
      }
      expect_survives(run_path(), 1, 2, "after failing call " + std::to_string(n));
      for (const auto& entry : fs::directory_iterator(run_path()))
        EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos) << entry.path();
      if (!failed) break;
      ++failures;
    }
    EXPECT_GE(failures, 40);
  }
}

TEST_F(CheckpointTest, AFullDiskNamesTheBytes) {
  FailingCalls::error = ENOSPC;
  RunDirectory run(run_path(), FailingCalls::table());
  std::string text;
  for (int n = 0; text.find("room for") == std::string::npos && n < 100; ++n) {
    FailingCalls::countdown = n;
    try {
      save(run, n);
    } catch (const Error& e) {
      text = e.what();
    }
  }
  FailingCalls::countdown = -1;
  EXPECT_NE(text.find("bytes expected"), std::string::npos) << text;
}

TEST_F(CheckpointTest, APowerCutAfterAnyCallLeavesAWholeCheckpoint) {
  {
    RunDirectory run(run_path());
    save(run, 1);
  }
  int images = 0;
  const auto check = [&] {
    for (const auto names : {DiskModel::Names::synced, DiskModel::Names::all}) {
      const fs::path image = folder.path() / "image";
      fs::remove_all(image);
      DiskModel::active->write_image(image, names);
      expect_survives(
          image, 1, 2,
          fmt::format("call {}, {} names", ++images, names == DiskModel::Names::all ? "all" : "synced"));
    }
  };
  RunDirectory run(run_path(), DiskModel::table());
  const DiskModel disk(run_path(), check);
  save(run, 2, 1);
  EXPECT_GE(images, 80);
  const fs::path image = folder.path() / "image";
  fs::remove_all(image);
  disk.write_image(image, DiskModel::Names::synced);
  EXPECT_EQ(fs::read_symlink(image / "latest"), "step-000002");  // it was durable before save() returned
}

// The control: without the fsync of files the images must show it.
TEST_F(CheckpointTest, TheDiskModelNoticesAMissingSync) {
  fs::create_directories(folder.path() / "disk");
  const DiskModel disk(folder.path() / "disk", [] {});
  FileSystem lazy = DiskModel::table();
  lazy.fsync = [](int) { return 0; };
  write_file_atomically(folder.path() / "disk" / "a", "text", lazy);
  write_file_atomically(folder.path() / "disk" / "b", "text", DiskModel::table());
  disk.write_image(folder.path() / "all", DiskModel::Names::all);
  EXPECT_EQ(read_whole_file(folder.path() / "all" / "a"), "");
  EXPECT_EQ(read_whole_file(folder.path() / "all" / "b"), "text");
}

TEST_F(CheckpointTest, SurvivesKillAtAnyMoment) {
  {
    RunDirectory run(run_path());
    save(run, 1);
  }
  std::int64_t newest = 1;
  std::uint32_t random = 12345;
  std::uint32_t longest_us =
      20'000;  // grows and shrinks with the machine, so that about every second round ends a save
  for (int round = 0; round < 200; ++round) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      try {
        RunDirectory run(run_path());
        for (std::int64_t step = newest + 1;; ++step) save(run, step, 2);
      } catch (...) {
        _exit(1);
      }
    }
    random = random * 1664525u + 1013904223u;
    std::this_thread::sleep_for(std::chrono::microseconds((random >> 8) % longest_us));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child failed by itself in round " << round;
    for (const char* link : {"latest", "best"})
      ASSERT_NO_THROW(verify_checkpoint(run_path() / link)) << round;
    RunDirectory run(run_path());
    const auto found = run.newest_sound_checkpoint();
    ASSERT_TRUE(found.has_value()) << round;
    const std::int64_t step = read_trainer_state(*found).step;
    ASSERT_GE(step, newest) << round;
    longest_us =
        step == newest ? std::min(longest_us + longest_us / 4, 500'000u) : longest_us - longest_us / 4 + 8;
    newest = step;
    for (const auto& entry : fs::directory_iterator(run_path())) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("step-")) {
        EXPECT_EQ(name.find(".tmp-"), std::string::npos) << name;
      }
      EXPECT_EQ(name.find(".damaged"), std::string::npos) << name;
    }
  }
  EXPECT_GT(newest, 20);
}

TEST_F(CheckpointTest, AFlippedBitInAnyFileFallsBack) {
  for (const char* name : {"config.json", "generation_config.json", "tokenizer.json", "model.safetensors",
                           "optimizer.safetensors", "trainer_state.json"}) {
    fs::remove_all(run_path());
    {
      RunDirectory run(run_path());
      save(run, 1);
      save(run, 2);
      const fs::path file = run.checkpoint_path(2) / name;
      std::string bytes = read_whole_file(file);
      bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
      folder.write(fs::relative(file, folder.path()).string(), bytes);
      EXPECT_THROW(verify_checkpoint(run.checkpoint_path(2)), Error) << name;
      const auto found = run.newest_sound_checkpoint();
      ASSERT_TRUE(found.has_value()) << name;
      EXPECT_EQ(*found, run.checkpoint_path(1)) << name;
      EXPECT_EQ(fs::read_symlink(run_path() / "latest"), "step-000001") << name;
      EXPECT_EQ(fs::read_symlink(run_path() / "best"), "step-000001") << name;
      save(run, 2);  // the place is free again
      EXPECT_EQ(*run.newest_sound_checkpoint(), run.checkpoint_path(2)) << name;
    }
  }
}

TEST_F(CheckpointTest, ADirectoryHasOneOwner) {
  RunDirectory run(run_path());
  try {
    const RunDirectory second(run_path());
    ADD_FAILURE() << "two owners";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_input);
    EXPECT_NE(std::string(e.what()).find("another process"), std::string::npos);
  }
}

TEST_F(CheckpointTest, KeepsTheBestAndTheNewest) {
  RunDirectory run(run_path());
  save(run, 1, 2);  // the best of all: it is published as such last of these
  for (std::int64_t step = 2; step <= 6; ++step) {
    TrainerState state = start(*model, settings(100));
    state.step = state.updates = step;
    write_checkpoint(run.checkpoint_path(step), *model, optimizer, *tokenizer, state);
    run.publish(step, false);
    run.prune(2);
  }
  EXPECT_EQ(run.checkpoints(), (std::vector<std::int64_t>{1, 6}));
  EXPECT_EQ(fs::read_symlink(run_path() / "best"), "step-000001");
  run.clear();
  EXPECT_TRUE(run.checkpoints().empty());
  EXPECT_FALSE(run.newest_sound_checkpoint().has_value());
}

TEST_F(CheckpointTest, LeftoversAreCleanedAtTheNextStart) {
  fs::create_directories(run_path() / "step-000007.tmp-999999-0");
  folder.write("run/step-000007.tmp-999999-0/model.safetensors", "half");
  const RunDirectory run(run_path());
  EXPECT_FALSE(fs::exists(run_path() / "step-000007.tmp-999999-0"));
}

TEST_F(CheckpointTest, AnotherShapeIsRefused) {
  RunDirectory run(run_path());
  save(run, 1);
  ModelConfig config = model->config();
  config.ffn = 96;
  const auto other = small_model(config);
  AdamW moments(*other, {});
  EXPECT_THROW(load_checkpoint(run.checkpoint_path(1), *other, moments), Error);
}

}  // namespace
}  // namespace smallmind
