# overview.gp - one page: what was run, who was served how fast, over time, and for how much.
load scripts.'style.gp'
set multiplot
set label 101 scenario at screen px(55), py(30) font ',18'
set label 102 subtitle at screen px(55), py(56) font ',11' textcolor rgb grey
set label 103 warning at screen px(985), py(82) right font ',12' textcolor rgb bad
unset border; unset tics; unset key; unset grid
set lmargin at screen 0.57; set rmargin at screen 0.97; set tmargin at screen 0.88; set bmargin at screen 0.56

# Tables. Columns right-aligned except the first.
row(n) = py(117 + 23.4 * n)
array cx[6] = [535, 688, 768, 840, 912, 985]
array ch[6] = ['class', 'offered', 'completed', 'p50', 'p99', 'in target']
array ox[4] = [535, 790, 890, 985]
array oh[4] = ['objective', 'bound', 'value', '']
n = 0
do for [c = 1 : 6] {
  if (c == 1) { set label ch[c] at screen px(cx[c]), row(0) left font ',10' textcolor rgb grey } \
  else { set label ch[c] at screen px(cx[c]), row(0) right font ',10' textcolor rgb grey }
}
do for [i = 1 : class_lines] {
  n = n + 1
  do for [c = 1 : 6] {
    if (c == 1) { set label class_cell[(i - 1) * 6 + c] at screen px(cx[c]), row(n) left font ',10' textcolor rgb hue(i - 1) } \
    else { set label class_cell[(i - 1) * 6 + c] at screen px(cx[c]), row(n) right font ',10' }
  }
}
if (classes_left_out > 0) { n = n + 1; set label sprintf('and %d more', classes_left_out) at screen px(cx[1]), row(n) font ',10' textcolor rgb grey }
n = n + 1.6
if (sla_lines > 0) {
  do for [c = 1 : 4] {
    if (c == 1) { set label oh[c] at screen px(ox[c]), row(n) left font ',10' textcolor rgb grey } \
    else { set label oh[c] at screen px(ox[c]), row(n) right font ',10' textcolor rgb grey }
  }
}
do for [i = 1 : sla_lines] {
  n = n + 1
  verdict = sla_cell[i * 4]
  do for [c = 1 : 3] {
    if (c == 1) { set label sla_cell[(i - 1) * 4 + c] at screen px(ox[c]), row(n) left font ',10' } \
    else { set label sla_cell[(i - 1) * 4 + c] at screen px(ox[c]), row(n) right font ',10' }
  }
  set label verdict at screen px(ox[4]), row(n) right font ',10' textcolor rgb (verdict eq 'met' ? good : bad)
}
if (sla_left_out > 0) { n = n + 1; set label sprintf('and %d more', sla_left_out) at screen px(ox[1]), row(n) font ',10' textcolor rgb grey }
set xrange [0 : 1]; set yrange [0 : 1]
plot NaN notitle
unset label
load scripts.'style.gp'
side_font = ',11'

key_n = curves; key_m = longest_curve; key_x = 300; key_w = 430
rows = key_rows(key_n, key_m, key_w)
key_y = 444 - 18 * rows
set lmargin at screen px(115); set rmargin at screen px(500)
set tmargin at screen py(112 + 16 * target_rows); set bmargin at screen py(380 - 18 * rows)
side = px(14)
if (curves_left_out > 0) { set label 60 left_out_text(curves_left_out, 'curves') at screen px(8), py(452) left font ',9' textcolor rgb grey }
load scripts.'panel_cdf.gp'

if (ticks > 0) {
  keyed = 1; key_n = groups; key_m = longest_group; key_y = 476
  set format x ''
  set xlabel ''
  set tmargin at screen py(482 + 18 * key_rows(key_n, key_m, key_w)); set bmargin at screen py(648)
  y_name = 'offered per '.rate_unit
  col = 2
  load scripts.'panel_time.gp'
  keyed = 0
  set format x '%g'
  set xlabel 'simulated time / '.time_unit font side_font offset 0, 0.3
  set tmargin at screen py(672); set bmargin at screen py(836)
  y_name = 'waiting requests'
  col = 3
  if (groups_left_out > 0) { set label 60 left_out_text(groups_left_out, 'stations') at screen px(8), py(892) left font ',9' textcolor rgb grey }
  load scripts.'panel_time.gp'
  side = px(534)
  set lmargin at screen px(606); set rmargin at screen px(970)
  set tmargin at screen py(500); set bmargin at screen py(612)
  if (any_scaled) {
    key_n = shown_entries; key_m = longest_group + 9; key_x = 788
    set tmargin at screen py(482 + 18 * key_rows(key_n, key_m, key_w))
    load scripts.'panel_replicas.gp'
  } else {
    y_name = 'utilization'
    col = 6
    load scripts.'panel_time.gp'
  }
} else {
  set key off
  set tmargin at screen py(490); set bmargin at screen py(836)
  set xrange [-0.6 : groups - 0.4]
  set yrange [0 : 1.1]
  set ylabel ''
  set label 50 'utilization' at screen side, graph 0.5 center rotate by 90 font side_font
  set xlabel ''
  set style fill solid 1.0 border lc rgb '#222222'
  set boxwidth 0.62
  unset xtics
  set xtics out nomirror scale 0 font ',10'
  set grid noxtics ytics
  plot data.'stations.tsv' using 0:2:3:xtic(1) with boxerrorbars lw 0.8 lc rgb '#56B4E9' notitle
  unset label
  side = px(534)
  set lmargin at screen px(606); set rmargin at screen px(970)
}
if (ticks > 0) { set tmargin at screen py(686) }
set bmargin at screen py(836)
load scripts.'panel_cost.gp'
unset multiplot
