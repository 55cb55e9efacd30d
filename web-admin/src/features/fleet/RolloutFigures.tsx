import { useTranslation } from 'react-i18next';
import type { RolloutFigures } from '../../api/types';
import { percent } from './rollouts';

/** What the gate compares: nodes with the change beside those without it. */
export function Figures({ figures: { changed, reference, before } }: { figures: RolloutFigures }) {
  const { t } = useTranslation();
  const other = before ? t('rollout.beforeChange') : t('rollout.without', { count: reference.nodes });
  const rows = [
    { name: t('rollout.errors'), of: [changed, reference].map((c) => ({ part: c.errors, whole: c.requests })) },
    { name: t('rollout.connectErrors'), of: [changed, reference].map((c) => ({ part: c.connectErrors, whole: c.exchanges })) },
  ];
  return (
    <table className="figures">
      <caption>{t('rollout.figures')}</caption>
      <thead>
        <tr>
          <td />
          <th scope="col">{t('rollout.with', { count: changed.nodes })}</th>
          <th scope="col">{other}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.name}>
            <th scope="row">{row.name}</th>
            {row.of.map(({ part, whole }, i) => (
              <td key={i} className="num">
                <strong>{percent(part, whole) ?? '-'}</strong> <span className="muted">{t('rollout.partOf', { part, whole })}</span>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
