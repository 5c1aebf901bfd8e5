// Draws everything; plots anew when the window's size or the colour scheme changes.

draw_summary();
draw_tables();
const plots = [draw_flame(), draw_roofline(), draw_memory(), draw_lanes()];
const draw_plots = () => plots.forEach((draw) => draw());
draw_plots();
let pending = 0;
addEventListener("resize", () => {
  cancelAnimationFrame(pending);
  pending = requestAnimationFrame(draw_plots);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw_plots);
document.body.dataset.ready = "yes";
