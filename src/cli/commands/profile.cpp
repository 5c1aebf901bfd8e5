// smallmind profile: records work, and shows where the time and the memory went. Its subcommands are the
// files of cli/profile/; `profile MODEL` (profile/model.cpp) is the command itself.
#include "base/error.h"
#include "cli/command.h"
#include "cli/profile/subcommand.h"
#include "cli/profile_registry.inc"
#include "model/loader.h"
#include "model/presets.h"

namespace smallmind {

std::unique_ptr<Model> profile_target(const std::string& target, bool gradients) {
  for (const std::string_view name : preset_names()) {
    if (name != target) continue;
    std::unique_ptr<Model> model = make_model(preset(name));
    model->allocate(gradients);
    model->initialise(1);
    return model;
  }
  return load_model(resolve_model_directory(target), {.gradients = gradients});
}

void add_profile(CLI::App& app, const CliContext& context) {
  CLI::App* command =
      app.add_subcommand("profile", "Record work and show where the time and the memory went");
  for (const Command& subcommand : kProfileCommands) subcommand.add(*command, context);
}

}  // namespace smallmind
