import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { problemsQuery } from '../api/reads';
import type { Problem } from '../api/types';
import { Panel } from '../ui/Page';
import { QueryView } from '../ui/States';
import { ProblemList } from './ProblemList';

const concerns = (p: Problem, tenant: string) => p.object.tenant === tenant || (p.object.kind === 'Tenant' && p.object.name === tenant);

/** What one tenant has to settle, in its objects and in the resources that they are made from. */
export function TenantProblems({ tenant }: { tenant: string }) {
  const { t } = useTranslation();
  const problems = useQuery(problemsQuery());
  const data = problems.data?.filter((p) => concerns(p, tenant));
  return (
    <Panel flush title={t('problem.ofTenant', { tenant })} extra={data && <span className="num">{data.length}</span>}>
      <QueryView query={{ ...problems, data }}>{(items) => <ProblemList problems={items} none={t('problem.noneOfTenant')} />}</QueryView>
    </Panel>
  );
}
