import subprocess, sys
def cell(c,d,a,runs,good,t='news'):
    l=f'{{country="{c}",cdn="{d}",app_version="{a}",target="{t}"}}'
    return [('firstframe_runs_total'+l,runs),('firstframe_good_runs_total'+l,good)]
UP='up{job="firstframe",instance="c:8480"}'; SEG='firstframe_log_segments{job="firstframe",instance="c:8480"}'
def health(n): return [(UP,f'1x{n}'),(SEG,f'1x{n}')]
EVER='count by (alertname, slice, window, country, cdn, app_version, instance) (count_over_time(ALERTS{alertstate="firing"}[%s]))'
NOW='count by (alertname, slice, window, country, cdn, app_version, instance) (ALERTS{alertstate="firing"})'
class F:
    def __init__(s,head): s.o=[head.rstrip(),'rule_files: [../recording.yaml, ../alerts.yaml]','evaluation_interval: 1m','tests:']
    def test(s,name,series,checks,alerts=(),comment=''):
        w=s.o.append
        for c in comment.splitlines(): w('  # '+c)
        w(f'  - name: {name}'); w('    interval: 1m'); w('    input_series:')
        for k,v in series: w(f"      - {{series: '{k}', values: '{v}'}}")
        w('    promql_expr_test:')
        for expr,at,want in checks:
            w(f"      - expr: '{expr}'"); w(f'        eval_time: {at}')
            if not want: w('        exp_samples: []'); continue
            w('        exp_samples:')
            for l in want:
                l,_,v=l.partition('=>')
                w(f"          - {{labels: '{l}', value: {v or 1}}}")
        if alerts: w('    alert_rule_test:')
        for name_,at,exp in alerts:
            w(f'      - alertname: {name_}'); w(f'        eval_time: {at}')
            w('        exp_alerts:')
            for labels,summary,page in exp:
                w(f'          - exp_labels: {{{labels}}}')
                w( '            exp_annotations:')
                w(f'              summary: "{summary}"')
                w(f'              runbook_url: https://github.com/firstframe/firstframe/blob/main/dashboards/runbooks/{page}')
        w('')
    def save(s,f): open(f,'w').write('\n'.join(s.o).rstrip()+'\n')
fast=lambda sl,w='1h': f'{{alertname="FirstframeFastBurn",{sl},window="{w}"}}'
slow=lambda sl,w: f'{{alertname="FirstframeSlowBurn",{sl},window="{w}"}}'
cc=lambda c,d: f'slice="country_cdn",country="{c}",cdn="{d}"'
HEAD='''# promtool test rules FILE. "Ever" expressions ask for all alerts that fired in
# that time, so that what must not fire is told for every alert at once.
'''
b=F('# Fast and slow burn.\n'+HEAD)
def world(n,bad={},apps=('1.0','2.0')):
    out=[]
    for c in ('BR','DE'):
        for d in ('a','b'):
            for a in apps:
                out+=cell(c,d,a,f'0+4x{n}',bad.get((c,d,a),bad.get((c,d),bad.get(a,f'0+4x{n}'))))
    return out+health(n)
b.test('clean',world(1560),[(EVER%'26h','26h',[])])
b.test('one failure where traffic is low',cell('BR','b','1.0','0+1x360','0+1x120 120+1x238')+health(360),
  [('slice_window:firstframe_bad_ratio{window="1h",slice="country_cdn"} > bool 13.44 * 0.001','150m',['{slice="country_cdn",window="1h",country="BR",cdn="b"}']),
   (EVER%'6h','6h',[])],comment='1 of 60 runs in an hour is above every threshold, and no reason to wake anyone.')
b.test('four failures are too few',cell('BR','b','1.0','0+1x360','0+1x120 120x3 121+1x234')+health(360),[(EVER%'6h','6h',[])])
b.test('five failures are enough',cell('BR','b','1.0','0+1x360','0+1x120 120x4 121+1x233')+health(360),
  [(EVER%'6h','6h',[fast(cc('BR','b')),fast(cc('BR','b'),'6h')])],
  comment='And one alert, not another for the only app version and for the fleet.')
b.test('everything silent',[(k,'0+4x1440 5760x180') if 'runs_total' in k else (k,v) for k,v in world(1620)],
  [(EVER%'27h','24h',[]),
   ('count by (alertname, country) (count_over_time(ALERTS{alertstate="firing"}[27h]))','27h',['{alertname="FirstframeCountrySilent",country="BR"}','{alertname="FirstframeCountrySilent",country="DE"}'])],
  comment='No data burns no budget and is not good either: the countries are named as silent.')
bad='0+4x1440 5760x30 5764+4x88'
b.test('one country through one CDN',world(1560,{('BR','b'):bad}),
  [(EVER%'24h','24h',[]),
   (NOW,'24h10m',[fast(cc('BR','b')),'{alertname="FirstframeRegionalDegradation",window="30m",'+cc('BR','b')+'}']),
   ('count by (country, cdn) (count_over_time(ALERTS{alertstate="firing"}[26h]))','26h',['{country="BR",cdn="b"}=>4']),
   (NOW.replace('firing"}','firing",window="1h"}'),'24h45m',[])],
  [('FirstframeFastBurn','24h10m',[('severity: page, slice: country_cdn, window: 1h, country: BR, cdn: b','?','fast-burn.md')])],
  comment='All runs there are bad from 24h to 24h30m. Nothing else is blamed, neither the\napp versions nor the fleet; five minutes later the fast alert is over.')
half='0+4x1440 5761+2x119'
b.test('a release',world(1560,{'2.0':half}),
  [(NOW.replace('country, cdn, ','').replace('firing"}','firing",window="1h"}'),'24h20m',['{alertname="FirstframeFastBurn",slice="app_version",window="1h",app_version="2.0"}','{alertname="FirstframeFastBurn",slice="country_cdn",window="1h"}=>4']),
   ('count_over_time(ALERTS{alertname="FirstframeRegionalDegradation"}[26h])','26h',[])],
  [('FirstframeFastBurn','24h6m',[('severity: page, slice: app_version, window: 1h, app_version: \"2.0\"','?','fast-burn.md')]+[(f'severity: page, slice: country_cdn, window: 1h, country: {c}, cdn: {d}','?','fast-burn.md') for c in('BR','DE') for d in('a','b')])],
  comment='Half of the runs of 2.0 are bad everywhere.')
thin=[]
for i in range(12):
    g=[];last=0;n=75
    vals=[];k=0
    for m in range(n+1):
        if m>0 and not (m%24==2*i%24): k+=1
        vals.append(k)
    # compress
    runs=[];s=0
    for j in range(1,len(vals)+1):
        if j==len(vals) or vals[j]-vals[j-1]!=1:
            runs.append(f'{vals[s]}+1x{j-s-1}'); s=j
    thin+=cell(['BR','DE','FR','IN','JP','US'][i%6],'ab'[i//6],'1.0',f'0+1x{n}',' '.join(runs))
b.test('spread thin',thin+health(75),[(EVER%'2h','75m',[fast('slice="rest"'),fast('slice="rest"','6h')])],
  [('FirstframeFastBurn','60m',[('severity: page, slice: rest, window: 1h','?','fast-burn.md'),('severity: page, slice: rest, window: 6h','?','fast-burn.md')])],
  comment='12 slices with 2 or 3 bad runs in an hour each: none has enough of them alone.')
b.test('slow burn',cell('BR','b','1.0','0+40x1560','0+39.8x1560')+cell('BR','a','1.0','0+40x1560','0+40x1560')+health(1560),
  [(EVER%'26h','26h',[slow(cc('BR','b'),'1d'),slow(cc('BR','b'),'3d')])],
  [('FirstframeSlowBurn','24h',[('severity: ticket, slice: country_cdn, window: 1d, country: BR, cdn: b','?','slow-burn.md'),('severity: ticket, slice: country_cdn, window: 3d, country: BR, cdn: b','?','slow-burn.md')])],
  comment='0.5 % bad: five times too fast, not 5.6 times. A ticket, no page.')
b.test('slowest burn',cell('BR','b','1.0','0+40x1560','0+39.94x1560')+cell('BR','a','1.0','0+40x1560','0+40x1560')+health(1560),
  [(EVER%'26h','26h',[slow(cc('BR','b'),'3d')])],comment='0.15 % bad.')
b.test('on target',cell('BR','b','1.0','0+40x1560','0+39.965x1560')+health(1560),[(EVER%'26h','26h',[])],comment='0.09 % bad: within the objective.')
b.save('tests/burn.yaml')

r=F('# Regional degradation and silent countries.\n'+HEAD)
reg=lambda c,d:'{alertname="FirstframeRegionalDegradation",window="30m",'+cc(c,d)+'}'
R='count by (alertname, slice, window, country, cdn) (count_over_time(ALERTS{alertname="FirstframeRegionalDegradation",alertstate="firing"}[26h]))'
d5='0+40x1440 57600+36x119'
def two(a,bb,extra=()): return cell('BR','a','1.0','0+40x1560',a)+cell('BR','b','1.0','0+40x1560',bb)+list(extra)+health(1560)
ok='0+40x1560'
r.test('worse than before and than the other CDN',two(ok,d5),[(R,'26h',[reg('BR','b')])],
  [('FirstframeRegionalDegradation','24h30m',[('severity: page, slice: country_cdn, window: 30m, country: BR, cdn: b','?','regional-degradation.md')])])
r.test('both CDNs are worse',two(d5,d5),[(R,'26h',[])],comment='Their common cause is not a CDN: an ISP, an origin. Fast burn tells it.')
r.test('it was always so',two(ok,'0+36x1560'),[(R,'26h',[])])
r.test('no other CDN',cell('BR','b','1.0',ok,d5)+health(1560),[(R,'26h',[])])
r.test('too few bad runs',cell('BR','a','1.0','0+4x1560','0+4x1560')+cell('BR','b','1.0','0+1x1560','0+1x1440 1440x3 1441+1x116')+health(1560),[(EVER%'26h','26h',[])])
S='count by (alertname, country) (ALERTS{alertname="FirstframeCountrySilent",alertstate="firing"})'
sil=lambda c:'{alertname="FirstframeCountrySilent",country="%s"}'%c
r.test('a country falls silent',cell('BR','a','1.0','0+2x1440 2880x1680','0+2x1440 2880x1680')+cell('DE','a','1.0','0+2x3120','0+2x3120')+health(3120),
  [(S,'24h',[]),(S,'24h10m',[]),(S,'24h30m',[sil('BR')]),(S,'46h',[sil('BR')])],
  [('FirstframeCountrySilent','24h30m',[('severity: page, country: BR','?','silent-country.md')])],
  comment='And it stays silent: the day before is not forgotten as the silence lasts.')
def rare(n,upto=None):
    v=[];k=0
    out=[]
    for m in range(0,n,20):
        if upto is None or m<=upto: k+=1
        out.append(f'{k}x19')
    return ' '.join(out)
r.test('a country with few runs falls silent',[x for x in cell('IN','a','1.0',rare(1440+240,1440),rare(1440+240,1440))]+health(1680),
  [('count_over_time(ALERTS{alertstate="firing"}[24h])','24h',[]),(S,'25h',[]),(S,'27h',[sil('IN')])],
  comment='A run every 20m: 15m without one mean nothing, 2h do.')
g='0+4x1440 _x2 0+4x117'
r.test('the collector restarts',[(k,g) for k,_ in cell('BR','a','1.0','','')+cell('BR','b','1.0','','')]+[(UP,'1x1440 0 1x118'),(SEG,'1x1440 stale 1x118')],
  [(EVER%'26h','26h',[])],comment='Counters begin anew.')
r.save('tests/regions.yaml')

c=F("# The collector's health.\n"+HEAD)
J='{job="firstframe",instance="c:8480"}'
al=lambda n:'{alertname="Firstframe%s",instance="c:8480"}'%n
c.test('healthy',health(120)+[('firstframe_ingest_store_errors_total'+J,'0x120'),('firstframe_ingest_pending_requests'+J,'3x120'),('firstframe_ingest_store_seconds_count'+J,'0+50x120'),
  ('firstframe_ingest_requests_total{job="firstframe",instance="c:8480",protocol="http",code="200"}','0+300x120'),('firstframe_ingest_requests_total{job="firstframe",instance="c:8480",protocol="http",code="400"}','0+9x120'),
  ('firstframe_ingest_requests_total{job="firstframe",instance="c:8480",protocol="http",code="503"}','0+1x120'),
  ('firstframe_ingest_rejected_spans_total'+J,'0x120'),('firstframe_ingest_lost_bodies_total'+J,'0x120')],[(EVER%'2h','2h',[])],
  comment='Busy, with clients that send nonsense and the odd refusal.')
c.test('down',[(k,'0+4x1440 stale') for k,_ in cell('BR','a','1.0','','')]+[(UP,'1x1440 0x60'),(SEG,'1x1440 stale')],
  [('count by (alertname, instance, country) (ALERTS{alertstate="firing"})','24h5m',[al('CollectorDown')]),
   ('count by (alertname, instance, country) (ALERTS{alertstate="firing"})','24h30m',[al('CollectorDown'),sil('BR')])],
  [('FirstframeCollectorDown','24h5m',[('severity: page, job: firstframe, instance: \"c:8480\"','?','collector.md')]),
   ('FirstframeCountrySilent','24h30m',[('severity: page, country: BR','?','silent-country.md')])],
  comment='The countries that nobody watches any more are named too.')
c.test('never seen',[('other','1x30')],[(NOW,'30m',['{alertname="FirstframeCollectorDown"}'])],
  [('FirstframeCollectorDown','30m',[('severity: page','?','collector.md')])])
c.test('the store fails',health(60)+[('firstframe_ingest_store_errors_total'+J,'0x20 0+6x39')],[(EVER%'1h','20m',[]),(NOW,'40m',[al('StoreFailing')])],
  [('FirstframeStoreFailing','40m',[('severity: page, job: firstframe, instance: \"c:8480\"','?','collector.md')])])
c.test('the store stands still',health(60)+[('firstframe_ingest_pending_requests'+J,'0x20 7x39'),('firstframe_ingest_store_seconds_count'+J,'0+10x20 200x39')],
  [(EVER%'1h','20m',[]),(NOW,'45m',[al('StoreLagging')])],
  [('FirstframeStoreLagging','45m',[('severity: page, job: firstframe, instance: \"c:8480\"','?','collector.md')])])
c.test('the store is slow',health(60)+[('firstframe_ingest_pending_requests'+J,'0x20 4000x39'),('firstframe_ingest_store_seconds_count'+J,'0+10x60')],[(NOW,'45m',[al('StoreLagging')])])
c.test('agents are sent away',health(60)+[('firstframe_ingest_requests_total{job="firstframe",instance="c:8480",protocol="http",code="200"}','0+100x60'),('firstframe_ingest_requests_total{job="firstframe",instance="c:8480",protocol="http",code="503"}','0x20 0+5x39')],
  [(EVER%'1h','20m',[]),(NOW,'50m',[al('IngestRefusing')])],
  [('FirstframeIngestRefusing','50m',[('severity: page, job: firstframe, instance: \"c:8480\"','?','collector.md')])])
c.test('runs are rejected, lost, and too many to be told apart',health(90)+[('firstframe_ingest_rejected_spans_total'+J,'0x20 0+2x69'),('firstframe_ingest_lost_bodies_total'+J,'2x90'),
  ('firstframe_runs_total{job="firstframe",instance="c:8480",country="other",cdn="other",app_version="other",target="other"}','0+1x90'),('firstframe_good_runs_total{job="firstframe",instance="c:8480",country="other",cdn="other",app_version="other",target="other"}','0+1x90')],
  [(NOW,'90m',[al('RunsRejected'),al('RunsLost'),al('SlicesPooled')])],
  [('FirstframeRunsRejected','90m',[('severity: ticket, job: firstframe, instance: \"c:8480\"','?','collector.md')]),
   ('FirstframeRunsLost','90m',[('severity: ticket, job: firstframe, instance: \"c:8480\"','?','collector.md')]),
   ('FirstframeSlicesPooled','90m',[('severity: ticket, job: firstframe, instance: \"c:8480\"','?','collector.md')])])
c.save('tests/collector.yaml')
