# panel_cdf.gp - share of requests within a time, per class: log axis of times, axis of nines (-log10 of what is beyond), so that
# the tail has as much room as the middle. Solid: latency. Dashed: first token. Vertical lines: targets, in the class's colour,
# dashed as the curve that they are for. Above the panel is room for three rows of their labels. The caller places the key, and the axis's name at `side` (the widest tic would push it off the canvas) in `side_font`.
set logscale x 10
set xrange [time_least * 0.8 : time_most * 1.25]
set yrange [0 : nines]
unset xtics
set xtics out nomirror scale 0.6 font ',10'
first = floor(log10(time_least * 0.8))
last = ceil(log10(time_most * 1.25))
set xtics (time_label(first) 10.0**first)
do for [k = first + 1 : last] { set xtics add (time_label(k) 10.0**k) }
do for [k = first : last] { do for [m = 2 : 9] { set xtics add ('' m * 10.0**k 1) } }
unset ytics
set ytics out nomirror scale 0.6 font ',10'
set ytics ('' 0, '50 %%' 0.30103, '90 %%' 1, '99 %%' 2, '99.9 %%' 3, '99.99 %%' 4, '99.999 %%' 5, '99.9999 %%' 6)
set xlabel 'time from the client''s send' font side_font offset 0, 0.3
unset arrow
set ylabel ''
set label 50 'requests served within' at screen side, graph 0.5 center rotate by 90 font side_font
do for [i = 1 : curves] {
  if (target[i] > 0) {
    set arrow i from target[i], graph 0 to target[i], graph 1 nohead lw 1.2 dt curve_dash[i] == 2 ? '- ' : 1 lc rgb hue(curve_color[i])
    if (target_row[i] <= target_rows_most) { set label i target_text[i] at target[i], graph 1 offset 0, 0.6 + 1.0 * target_row[i] center font ',10' textcolor rgb hue(curve_color[i]) }
  }
}
if (curves > 0) {
  plot for [i = 1 : curves] data.'cdf.tsv' index (i - 1) using 1:2 with lines \
    lw (curve_dash[i] == 2 ? 1.6 : 2) dt curve_dash[i] lc rgb hue(curve_color[i]) \
    title curve_title[i] at screen key_left(i - 1), screen key_top(i - 1)
} else {
  set label 1 'no request completed' at graph 0.5, 0.5 center
  plot -1 notitle
}
unset logscale x
unset arrow
unset label
set xtics autofreq
set ytics autofreq
