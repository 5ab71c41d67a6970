# panel_time.gp - one panel over simulated time, a line a station group. The caller sets col (a column of timeline.tsv), its name y_name,
# where that stands (side, side_font), and the place of the key when the panel is `keyed`; what is before the end of the warm-up lies on grey.
set xrange [0 : duration / time_scale]
set yrange [0 : (col == 2 ? 1 : 5) < *]
if (col == 6) { set yrange [0 : 1.05] }
if (warmup > 0) {
  set object 1 rectangle from graph 0, graph 0 to first warmup / time_scale, graph 1 behind fc rgb '#F0F0F0' fs noborder
  if (warmup > 0.14 * duration) { set label 1 'warm-up' at first 0.5 * warmup / time_scale, graph 0.92 center font ',9' textcolor rgb grey }
}
set ylabel ''
set label 50 y_name at screen side, graph 0.5 center rotate by 90 font side_font
plot for [i = 1 : groups] data.'timeline.tsv' index (i - 1) using \
  ($1 / time_scale):(group_peak[(i - 1) * 6 + col] > 0 ? column(col) * (col == 2 ? rate_scale : 1) : NaN) with steps lw 1.5 \
  lc rgb hue(i - 1) \
  title (keyed ? group_name[i] : '') at screen key_left(i - 1), screen key_top(i - 1), 0 with lines lt nodraw notitle # gnuplot fails where no point is defined
unset object
unset label
