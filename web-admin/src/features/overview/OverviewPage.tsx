import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { ProblemList } from '../../parts/ProblemList';
import { ShrinkAlarms } from '../../parts/ShrinkAlarm';
import { Panel, Page } from '../../ui/Page';
import { QueryView } from '../../ui/States';
import { AlertList } from './AlertList';
import { FleetCheck } from './FleetCheck';
import { Identity } from './Identity';
import { Stats } from './Stats';
import { SuspectList } from './SuspectList';
import { FleetList, ListenerList, SourceList } from './SideLists';
import { suspects, useAlerts, useFleets, useProblems, useStatus, useUpstreams } from './queries';

/** What to look at first: what is wrong, then what is there, then who says so. */
export function OverviewPage() {
  const { t } = useTranslation();
  const status = useStatus();
  const problems = useProblems();
  const upstreams = useUpstreams();
  const fleets = useFleets();
  const alerts = useAlerts();
  return (
    <Page title={t('overview.title')}>
      <ShrinkAlarms />
      <QueryView query={status}>
        {(s) => (
          <>
            <Identity status={s} />
            <Stats status={s} upstreams={upstreams.data} />
            <div className="columns">
              <div>
                <Panel flush title={t('overview.alerts')} extra={alerts.data && <span className="num">{alerts.data.items.length}</span>}>
                  <QueryView query={alerts}>{(all) => <AlertList alerts={all} />}</QueryView>
                </Panel>
                <Panel flush title={t('overview.problems')} extra={problems.data && <span className="num">{problems.data.length}</span>}>
                  <QueryView query={problems}>{(items) => <ProblemList problems={items} />}</QueryView>
                </Panel>
                <Panel flush title={t('overview.attention')} extra={upstreams.data && <span className="num">{suspects(upstreams.data).length}</span>}>
                  <QueryView query={upstreams}>{(views) => <SuspectList suspects={suspects(views)} />}</QueryView>
                </Panel>
              </div>
              <div>
                <Panel flush title={t('overview.fleets')}>
                  {s.fleetCheck && <FleetCheck check={s.fleetCheck} />}
                  <QueryView query={fleets}>{(items) => <FleetList fleets={items} />}</QueryView>
                </Panel>
                <Panel flush title={<Link to="/sources">{t('overview.sources')}</Link>}>
                  <SourceList sources={s.sources} />
                </Panel>
                <Panel flush title={t('overview.listeners')}>
                  <ListenerList listeners={s.listeners} />
                </Panel>
              </div>
            </div>
          </>
        )}
      </QueryView>
    </Page>
  );
}
