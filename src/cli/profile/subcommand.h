// What a subcommand of `smallmind profile` is: one file profile/NAME.cpp that defines
//
//   void add_profile_NAME(CLI::App& profile, const CliContext& context);
//
// CMake lists the folder, as it does for commands/.
#pragma once

#include <memory>
#include <string>

#include "cli/command.h"
#include "model/model.h"

namespace smallmind {

// A preset with random weights, a model directory or a training run.
std::unique_ptr<Model> profile_target(const std::string& name, bool gradients);

}  // namespace smallmind
