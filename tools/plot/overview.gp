# overview.gp - one page: what was run, who was served how fast, over time, and for how much.
load scripts.'style.gp'
set multiplot
set label 101 scenario at screen 0.055, 0.968 font ',18'
set label 102 subtitle at screen 0.055, 0.938 font ',11' textcolor rgb grey
set label 103 warning at screen 0.97, 0.968 right font ',13' textcolor rgb bad
unset border; unset tics; unset key; unset grid
set lmargin at screen 0.57; set rmargin at screen 0.97; set tmargin at screen 0.88; set bmargin at screen 0.56

# Tables. Columns right-aligned except the first.
row(n) = 0.87 - 0.026 * n
array cx[6] = [0.555, 0.685, 0.762, 0.835, 0.908, 0.98]
array ch[6] = ['class', 'offered', 'completed', 'p50', 'p99', 'in target']
array ox[4] = [0.555, 0.78, 0.875, 0.98]
array oh[4] = ['objective', 'bound', 'value', '']
n = 0
do for [c = 1 : 6] {
  if (c == 1) { set label ch[c] at screen cx[c], row(0) left font ',10' textcolor rgb grey } \
  else { set label ch[c] at screen cx[c], row(0) right font ',10' textcolor rgb grey }
}
do for [i = 1 : class_lines] {
  n = n + 1
  do for [c = 1 : 6] {
    if (c == 1) { set label class_cell[(i - 1) * 6 + c] at screen cx[c], row(n) left font ',10' textcolor rgb hue(i - 1) } \
    else { set label class_cell[(i - 1) * 6 + c] at screen cx[c], row(n) right font ',10' }
  }
}
if (classes_left_out > 0) { n = n + 1; set label sprintf('and %d more', classes_left_out) at screen cx[1], row(n) font ',10' textcolor rgb grey }
n = n + 1.6
if (sla_lines > 0) {
  do for [c = 1 : 4] {
    if (c == 1) { set label oh[c] at screen ox[c], row(n) left font ',10' textcolor rgb grey } \
    else { set label oh[c] at screen ox[c], row(n) right font ',10' textcolor rgb grey }
  }
}
do for [i = 1 : sla_lines] {
  n = n + 1
  verdict = sla_cell[i * 4]
  do for [c = 1 : 3] {
    if (c == 1) { set label sla_cell[(i - 1) * 4 + c] at screen ox[c], row(n) left font ',10' } \
    else { set label sla_cell[(i - 1) * 4 + c] at screen ox[c], row(n) right font ',10' }
  }
  set label verdict at screen ox[4], row(n) right font ',10' textcolor rgb (verdict eq 'met' ? good : bad)
}
if (sla_left_out > 0) { n = n + 1; set label sprintf('and %d more', sla_left_out) at screen ox[1], row(n) font ',10' textcolor rgb grey }
set xrange [0 : 1]; set yrange [0 : 1]
plot NaN notitle
unset label
load scripts.'style.gp'
set border 3; set tics font ',10'

columns = key_columns(longest_curve, 400)
rows = key_rows(curves, columns)
set lmargin at screen 0.115; set rmargin at screen 0.50; set tmargin at screen 0.875; set bmargin at screen 0.575 + 0.021 * rows
set key at screen 0.30, 0.505 + 0.021 * rows center top horizontal maxcols columns
side = 0.012
load scripts.'panel_cdf.gp'

if (ticks > 0) {
  set key at screen 0.30, 0.462 center horizontal maxcols key_columns(longest_group, 400)
  set format x ''
  set xlabel ''
  set tmargin at screen 0.445; set bmargin at screen 0.285
  set ylabel 'offered requests/s'
  col = 2
  load scripts.'panel_time.gp'
  unset key
  set format x '%g'
  set xlabel 'simulated time / '.time_unit
  set tmargin at screen 0.255; set bmargin at screen 0.075
  set ylabel 'waiting requests'
  col = 3
  load scripts.'panel_time.gp'
  set lmargin at screen 0.60; set rmargin at screen 0.97
  set tmargin at screen 0.445; set bmargin at screen 0.325
  if (any_scaled) {
    set key at screen 0.785, 0.462 center horizontal maxcols 2
    set ylabel 'replicas'
    load scripts.'panel_replicas.gp'
  } else {
    set ylabel 'utilization'
    col = 6
    load scripts.'panel_time.gp'
  }
} else {
  set key off
  set tmargin at screen 0.455; set bmargin at screen 0.075
  set xrange [-0.6 : groups - 0.4]
  set yrange [0 : 1.1]
  set ylabel 'utilization'
  set xlabel ''
  set style fill solid 1.0 border lc rgb '#222222'
  set boxwidth 0.62
  unset xtics
  set xtics out nomirror scale 0 font ',11'
  set grid noxtics ytics
  plot data.'stations.tsv' using 0:2:3:xtic(1) with boxerrorbars lw 0.8 lc rgb '#56B4E9' notitle
  set lmargin at screen 0.60; set rmargin at screen 0.97
}
if (ticks > 0) { set tmargin at screen 0.235; set bmargin at screen 0.075 }
load scripts.'panel_cost.gp'
unset multiplot
