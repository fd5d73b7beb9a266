-- Definitions of feature flags for specs, as Mixpanel's server sends them.
local definitions = {}

-- A flag that gives everybody its first variant; `changes` to its fields.
function definitions.flag(key, changes)
  local flag = {
    id = "id of " .. key,
    key = key,
    name = key,
    status = "enabled",
    project_id = 1,
    context = "distinct_id",
    experiment_id = "experiment of " .. key,
    is_experiment_active = true,
    ruleset = {
      variants = { { key = "on", value = true, is_control = false, split = 1 } },
      rollout = { { rollout_percentage = 1 } },
    },
  }
  for name, value in pairs(changes or {}) do
    flag[name] = value
  end
  return flag
end

-- One with a rule.
function definitions.ruled(key, rule)
  local flag = definitions.flag(key)
  flag.ruleset.rollout[1].runtime_evaluation_rule = rule
  return flag
end

return definitions
