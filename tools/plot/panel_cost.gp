# panel_cost.gp - cost by component, with 95 % intervals over replications when there are several.
unset xtics
unset ytics
set ytics out nomirror scale 0.6 font ',10'
set xtics out nomirror scale 0 font ',11'
set xrange [-0.6 : 3.6]
set yrange [0 : (cost_most > 0 ? cost_most * 1.22 : 1)]
set xlabel ''
set ylabel 'cost / USD'
unset key
set errorbars 0.8
set style fill solid 1.0 border lc rgb '#222222'
set boxwidth 0.62
set grid noxtics ytics
cost_text(x) = cost_most == 0 ? '' : x == 0 ? '0' : sprintf('%.3g', x)
if (cost_most == 0) { set label 1 'nothing has a price here' at graph 0.5, 0.5 center textcolor rgb grey }
if (cost_has_intervals) {
  plot data.'cost.tsv' using 0:2:3:xtic(1) with boxerrorbars lw 0.8 lc rgb '#56B4E9', \
    data.'cost.tsv' using 0:($2 + $3):(cost_text($2)) with labels offset 0, 0.8 font ',11'
} else {
  plot data.'cost.tsv' using 0:2:xtic(1) with boxes lw 0.8 lc rgb '#56B4E9', \
    data.'cost.tsv' using 0:2:(cost_text($2)) with labels offset 0, 0.8 font ',11'
}
unset label 1
set grid xtics ytics
