-- What belongs to Mixpanel stands here alone; no host needs it. `run` puts the
-- address of the stand-in in the place of MIXPANEL. On a machine of your own:
--
--     { token = "…", residency = "eu", events_via = "import",
--       service_account = { username = "…", secret = "…", project_id = 123 } }
return {
  { token = "projecttoken", api_host = "MIXPANEL" },
}
