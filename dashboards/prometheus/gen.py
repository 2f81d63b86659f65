RB="https://github.com/firstframe/firstframe/blob/main/dashboards/runbooks/"
sel='slice=%q,window=%q,country=%q,cdn=%q,app_version=%q'
out=[]
w=out.append
w('''# Alerts of Firstframe for Prometheus and Alertmanager; README.md says what they
# need and what they cannot see. Tests: tests/*.yaml.
#
# Burn rates are those of the SRE Workbook, chapter 5, for a period of 28 days
# and an objective of 99.9 % good runs:
#
#   budget used   long   short   burn rate   severity
#   2 %           1h     5m      13.44       page
#   5 %           6h     30m     5.6         page
#   10 %          1d     2h      2.8         ticket
#   10 %          3d     6h      0.933       ticket
#
# Both windows must exceed. A page needs 5 bad runs in the long window and a
# ticket 10, however few runs there are: written as > 4.5 and > 9.5, because
# increase() is not whole.
groups:''')
def burn(name, sev, long, short, rate, least, hold, rest, first):
    anchor = name.lower()
    ann = (f"&{anchor}" if first else f"*{anchor}")
    w(f'''      - alert: {name}''')
    p='slice_window' if not rest else 'rest_window'
    if not rest:
        w(f'''        expr: |
          slice_window:firstframe_bad_ratio:own{{window="{long}"}} > {rate} * 0.001
          and on (slice, country, cdn, app_version) slice_window:firstframe_bad_ratio{{window="{short}"}} > {rate} * 0.001
          and on (slice, country, cdn, app_version) slice_window:firstframe_bad_runs:increase{{window="{long}"}} > {least}''')
    else:
        w(f'''        expr: |
          rest_window:firstframe_bad_ratio{{window="{long}"}} > {rate} * 0.001
          and on () rest_window:firstframe_bad_ratio{{window="{short}"}} > {rate} * 0.001
          and on () rest_window:firstframe_bad_runs:increase{{window="{long}"}} > {least}''')
    w(f'''        for: {hold}''')
    w(f'''        labels: {{severity: {sev}{", slice: rest" if rest else ""}, window: {long}}}''')
    return ann
def annotations(ann, lines):
    if ann.startswith('*'):
        w(f'        annotations: {ann}'); return
    w(f'        annotations: {ann}'.rstrip())
    for l in lines: w('          '+l)
def q(expr): return '{{ with printf `'+expr+'` $labels.slice $labels.window $labels.country $labels.cdn $labels.app_version | query }}{{ . | first | value | printf "%.0f" }}{{ end }}'
def sliced(page):
    return ['summary: >-',
     '  {{ if eq $labels.slice "app_version" }}App version {{ or $labels.app_version "unknown" }}',
     '  {{- else }}{{ or $labels.country "Unknown country" }} through {{ or $labels.cdn "an unknown CDN" }}{{ end }}:',
     '  '+q('slice_window:firstframe_bad_runs:increase{'+sel+'}')+' of',
     '  '+q('slice_window:firstframe_runs:increase{'+sel+'}')+' runs',
     '  bad in {{ $labels.window }}, {{ $value | humanizePercentage }}; the error budget burns',
     '  {{ with printf `slice_window:firstframe_bad_ratio{'+sel+'} / 0.001` $labels.slice $labels.window $labels.country $labels.cdn $labels.app_version | query }}{{ . | first | value | printf "%.1f" }}{{ end }} times as fast as it may',
     'runbook_url: '+RB+page]
def rq(e,f="%.0f"): return '{{ with printf `'+e+'` $labels.window | query }}{{ . | first | value | printf "'+f+'" }}{{ end }}'
def rest(page):
    return ['summary: >-',
     '  Everywhere, without the slices that have an alert of their own:',
     '  '+rq('rest_window:firstframe_bad_runs:increase{window=%q}')+' of',
     '  '+rq('rest_window:firstframe_runs:increase{window=%q}')+' runs',
     '  bad in {{ $labels.window }}, {{ $value | humanizePercentage }}; the error budget burns',
     '  '+rq('rest_window:firstframe_bad_ratio{window=%q} / 0.001','%.1f')+' times as fast as it may',
     'runbook_url: '+RB+page]
W=[('FirstframeFastBurn','page','1h','5m','13.44','4.5','2m','4m','fast-burn.md'),
   ('FirstframeFastBurn','page','6h','30m','5.6','4.5','2m','4m','fast-burn.md'),
   ('FirstframeSlowBurn','ticket','1d','2h','2.8','9.5','15m','20m','slow-burn.md'),
   ('FirstframeSlowBurn','ticket','3d','6h','0.933','9.5','15m','20m','slow-burn.md')]
w('''  - name: firstframe-burn
    interval: 1m
    rules:''')
for i,x in enumerate(W):
    ann=burn(*x[:7],False,i%2==0); annotations(ann, sliced(x[8]))
w('''
      # What burns although no slice of it does by itself: the fleet without the
      # slices that have an alert. It waits longer than these, so that it cannot
      # come before them.''')
for m,op in (('runs',''),('bad_runs','')):
    w(f'''      - record: rest_window:firstframe_{m}:increase
        expr: >-
          sum by (window) (slice_window:firstframe_{m}:increase{{slice="country_cdn"}}
          unless on (country, cdn) ALERTS{{alertname=~"Firstframe(FastBurn|SlowBurn)",alertstate="firing",slice="country_cdn"}})''')
w('''      - record: rest_window:firstframe_bad_ratio
        expr: rest_window:firstframe_bad_runs:increase / rest_window:firstframe_runs:increase''')
for i,x in enumerate(W):
    n=x[0]
    ann=burn(n,x[1],x[2],x[3],x[4],x[5],x[7],True,i%2==0)
    annotations(ann.replace('burn','burnrest'), rest(x[8]))
ev='{{ with printf `%s{slice="country_cdn",window="%s",country=%%q,cdn=%%q}%s` $labels.country $labels.cdn | query }}{{ . | first | value | %s }}{{ end }}'
w('''
  - name: firstframe-regions
    interval: 1m
    rules:
      # A CDN in a country that is worse than it was there in the day before the
      # last hour, and worse than the other CDNs there are now. Where one of the
      # two is not known (100 and 20 runs at least) it keeps silent, and the burn
      # rates speak.
      - alert: FirstframeRegionalDegradation
        expr: |
          slice_window:firstframe_bad_ratio{slice="country_cdn",window="30m"} > 0.01 + 3 * slice_window:firstframe_bad_ratio:elsewhere
          and on (country, cdn) slice_window:firstframe_bad_runs:increase{slice="country_cdn",window="30m"} > 4.5
          and on (country, cdn) slice_window:firstframe_runs:elsewhere{slice="country_cdn",window="30m"} >= 20
          and on (country, cdn) slice_window:firstframe_runs:increase{slice="country_cdn",window="1d"} offset 1h >= 100
          and on (country, cdn) slice_window:firstframe_bad_ratio{slice="country_cdn",window="30m"}
            > on (country, cdn) 0.01 + 3 * (slice_window:firstframe_bad_ratio{slice="country_cdn",window="1d"} offset 1h)
        for: 2m
        labels: {severity: page}
        annotations:
          summary: >-
            {{ or $labels.country "Unknown country" }} through {{ or $labels.cdn "an unknown CDN" }}:''')
w('            '+ev%('slice_window:firstframe_bad_runs:increase','30m','','printf "%.0f"')+' of')
w('            '+ev%('slice_window:firstframe_runs:increase','30m','','printf "%.0f"')+' runs')
w('            bad in 30m, {{ $value | humanizePercentage }}; the other CDNs there:')
w('            '+ev%('slice_window:firstframe_bad_ratio:elsewhere','30m','','humanizePercentage')+'; the day before:')
w('            '+ev%('slice_window:firstframe_bad_ratio','1d',' offset 1h','humanizePercentage'))
w('          runbook_url: '+RB+'regional-degradation.md')
w('''
      # No run of a country where, by its own last day, 5 should have come in 15m,
      # or in 2h where runs are rare. Also when a collector is down or stores
      # nothing: its runs are not seen then either.
      - alert: FirstframeCountrySilent
        expr: |
          (
            max_over_time(sum by (country) (slice_window:firstframe_runs:increase{slice="country_cdn",window="1d"})[1d:15m]) / 96 >= 5
            unless on (country) sum by (country) (sum_over_time(slice_window:firstframe_runs:increase{slice="country_cdn",window="5m"}[15m])) > 0
          ) or (
            max_over_time(sum by (country) (slice_window:firstframe_runs:increase{slice="country_cdn",window="1d"})[1d:15m]) / 12 >= 5
            unless on (country) sum by (country) (slice_window:firstframe_runs:increase{slice="country_cdn",window="2h"}) > 0
          )
        for: 2m
        labels: {severity: page}
        annotations:
          summary: >-
            {{ or $labels.country "Unknown country" }}: no run is stored any more, where about {{ $value | printf "%.0f" }}
            should have been; nothing is known about playback there
            {{- if not (query "firstframe_log_segments") }} (no collector answers Prometheus: see that first){{ end }}
          runbook_url: '''+RB+'''silent-country.md

  - name: firstframe-collector
    interval: 1m
    rules:''')
def coll(name, comment, expr, hold, sev, summary):
    for c in comment: w('      # '+c)
    w(f'      - alert: {name}')
    w('        expr: |')
    for e in expr: w('          '+e)
    w(f'        for: {hold}')
    w(f'        labels: {{severity: {sev}}}')
    w('        annotations:')
    w('          summary: >-')
    for s in summary: w('            '+s)
    w('          runbook_url: '+RB+'collector.md')
coll('FirstframeCollectorDown',['A scrape fails also when the store does not tell its size within 5 s.'],
 ['up{job="firstframe"} == 0','or (absent(firstframe_log_segments) unless on () (up{job="firstframe"} == 0))'],'2m','page',
 ['{{ with $labels.instance }}Collector {{ . }} does not answer Prometheus{{ else }}Prometheus sees no collector{{ end }}:','nothing is known about playback, and no other alert can be trusted to come'])
coll('FirstframeStoreFailing',[], ['increase(firstframe_ingest_store_errors_total[5m]) > 0'],'5m','page',
 ['Collector {{ $labels.instance }}: its store refuses what it is given; runs are safe in the log, and not seen by queries'])
coll('FirstframeStoreLagging',['Either nothing of what waits was stored in 10m, or much has waited all the time.','The bound is 16384 requests.'],
 ['(','  min_over_time(firstframe_ingest_pending_requests[10m]) > 0','  and increase(firstframe_ingest_store_seconds_count[10m]) == 0',')','or min_over_time(firstframe_ingest_pending_requests[10m]) > 1000'],'5m','page',
 ['Collector {{ $labels.instance }}: {{ $value | printf "%.0f" }} requests or more have waited for the store for 10m; queries lack the newest runs'])
coll('FirstframeIngestRefusing',['HTTP 429 and 5xx; gRPC 8 (exhausted), 13 (internal) and 14 (unavailable).'],
 ['sum by (job, instance) (rate(firstframe_ingest_requests_total{code=~"429|5..|8|13|14"}[10m]))','/ sum by (job, instance) (rate(firstframe_ingest_requests_total[10m])) > 0.01'],'10m','page',
 ['Collector {{ $labels.instance }}: {{ $value | humanizePercentage }} of agents\' requests are sent away; they keep their runs and try again'])
coll('FirstframeRunsRejected',[], ['increase(firstframe_ingest_rejected_spans_total[30m]) > 0'],'0m','ticket',
 ['Collector {{ $labels.instance }}: about {{ $value | printf "%.0f" }} spans of agents were refused as malformed in 30m; the agents do not send them again'])
coll('FirstframeRunsLost',['Counted while the log is replayed, before the first scrape: so the number itself.'],
 ['firstframe_ingest_lost_bodies_total > 0'],'0m','ticket',
 ['Collector {{ $labels.instance }}: {{ $value }} acknowledged requests could not be read back from the log after its restart; the disk has spoilt them'])
coll('FirstframeSlicesPooled',[], ['sum by (job, instance) (increase(firstframe_runs_total{country="other",cdn="other",app_version="other",target="other"}[1h])) > 0'],'0m','ticket',
 ['Collector {{ $labels.instance }}: more than 2000 combinations of country, CDN, app version and target;','the runs of further ones are counted together as "other", and no alert can name them'])
open('alerts.yaml','w').write('\n'.join(out)+'\n')
