// The options of `smallmind train` on the command line.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "train/training_request.h"

namespace smallmind {

struct TrainOptions : TrainingRequest {
  bool json = false;
};

void add_train_options(CLI::App& command, TrainOptions& options);

}  // namespace smallmind
