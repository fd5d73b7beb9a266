function love.conf(t)
  t.identity = "mixpanel-example"
  t.window.title = "Catch the dot"
  t.window.width, t.window.height = 640, 200
end
