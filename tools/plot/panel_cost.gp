# panel_cost.gp - cost by component, with 95 % intervals over replications when there are several. No grid: every bar has its value.
unset xtics
unset ytics
unset grid
set xtics out nomirror scale 0 font ',10'
set xrange [-0.6 : 3.6]
set yrange [0 : (cost_most > 0 ? cost_most * 1.22 : 1)]
set xlabel ''
set ylabel ''
unset key
set errorbars 0.8
set style fill solid 1.0 border lc rgb '#222222'
set boxwidth 0.62
cost_text(x) = cost_most == 0 ? '' : x == 0 ? '0' : sprintf('%.3g', x)
if (cost_most == 0) {
  set label 1 'nothing has a price here' at graph 0.5, 0.5 center font ',11' textcolor rgb grey
} else {
  set ytics out nomirror scale 0.6 font ',10'
  set label 50 'cost / USD' at screen side, graph 0.5 center rotate by 90 font side_font
}
if (cost_has_intervals) {
  plot data.'cost.tsv' using 0:2:3:xtic(1) with boxerrorbars lw 0.8 lc rgb '#56B4E9' notitle, \
    data.'cost.tsv' using 0:($2 + $3):(cost_text($2)) with labels offset 0, 0.8 font ',10' notitle
} else {
  plot data.'cost.tsv' using 0:2:xtic(1) with boxes lw 0.8 lc rgb '#56B4E9' notitle, \
    data.'cost.tsv' using 0:2:(cost_text($2)) with labels offset 0, 0.8 font ',10' notitle
}
unset label
set ytics autofreq
