import { useTranslation } from 'react-i18next';
import type { FleetCheckStatus } from '../../api/types';
import { Badge } from '../../ui/Badge';

const levels = ['namespaces', 'no_user_namespace', 'limits_only'] as const;

/** How bundles are checked before nodes get them, and what is missing for that. */
export function FleetCheck({ check: c }: { check: FleetCheckStatus }) {
  const { t } = useTranslation();
  const level = levels.find((l) => l === c.level);
  return (
    <div className="stack list-note">
      <div className="list-head">
        <span>{t('fleetCheck.title')}</span>
        <Badge tone={c.warning ? 'warn' : level === 'namespaces' ? 'good' : 'off'} title={level && t(`fleetCheck.hint.${level}`)}>
          {level ? t(`fleetCheck.${level}`) : c.level || t('fleetCheck.notYet')}
        </Badge>
        {c.version && <span className="list-side num">nginx {c.version}</span>}
      </div>
      {c.warning && <div className="text-warn break">{c.warning}</div>}
    </div>
  );
}
