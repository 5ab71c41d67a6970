# panel_replicas.gp - replicas ready (line) and starting (area) of the groups that scale; of all groups when none does.
# The caller places the key and the axis's name (side, side_font). shown_groups, shown() and rank[] are in style.gp.
set xrange [0 : duration / time_scale]
set yrange [0 : 4 < *]
# Whole replicas, about five tics.
most = 4
do for [i = 1 : groups] { do for [c = 4 : 5] { if (group_peak[(i - 1) * 6 + c] > most) { most = group_peak[(i - 1) * 6 + c] } } }
decade = 10**floor(log10(most / 4.0))
set ytics decade * (most / 4.0 / decade > 5 ? 10 : most / 4.0 / decade > 2 ? 5 : most / 4.0 / decade > 1 ? 2 : 1)
if (warmup > 0) {
  set object 1 rectangle from graph 0, graph 0 to first warmup / time_scale, graph 1 behind fc rgb '#F0F0F0' fs noborder
}
set ylabel ''
set label 50 'replicas' at screen side, graph 0.5 center rotate by 90 font side_font
plot for [i = 1 : groups] data.'timeline.tsv' index (i - 1) \
    using ($1 / time_scale):(group_scaled[i] > 0 ? $5 : NaN) with fillsteps fs transparent solid 0.35 noborder fc rgb hue(i - 1) \
    title (group_scaled[i] > 0 ? group_name[i].' starting' : '') at screen key_left(2 * rank[i]), screen key_top(2 * rank[i]), \
  for [i = 1 : groups] data.'timeline.tsv' index (i - 1) using ($1 / time_scale):(shown(i) ? $4 : NaN) with steps lw 1.5 \
    lc rgb hue(i - 1) title (shown(i) ? group_name[i].' ready' : '') \
    at screen key_left(any_scaled ? 2 * rank[i] + 1 : rank[i]), screen key_top(any_scaled ? 2 * rank[i] + 1 : rank[i]), 0 with lines lt nodraw notitle
unset object
unset label
set ytics autofreq
