import { useTranslation } from 'react-i18next';
import type { Effect, Problem } from '../../api/types';
import { keyText } from '../../api/types';
import { Badge } from '../../ui/Badge';
import { Digest } from '../../ui/Digest';
import { Said } from '../../ui/Said';

/** What a change would do to what is served. */
export function EffectView({ effect: e }: { effect: Effect }) {
  const { t } = useTranslation();
  const nothing = e.digestBefore === e.digestAfter && e.problemsAdded.length + e.problemsFixed.length === 0;
  return (
    <section className="effect" aria-label={t('edit.effect')}>
      <p className="muted">{t('edit.dryRun')}</p>
      {nothing ? (
        <strong>{t('edit.noEffect')}</strong>
      ) : (
        <ul>
          {e.upstreams.map((u) => (
            <li key={keyText(u.upstream)}>
              <strong>{t('edit.upstream', { name: keyText(u.upstream) })}</strong> <span className="muted">{t(`edit.${u.change}`)}</span>
              {u.endpointsAdded.map((a) => (
                <div key={a} className="mono effect-add">
                  + {a}
                </div>
              ))}
              {u.endpointsRemoved.map((a) => (
                <div key={a} className="mono effect-del">
                  - {a}
                </div>
              ))}
              {u.change === 'changed' && u.endpointsAdded.length + u.endpointsRemoved.length === 0 && <div>{t('edit.attributes')}</div>}
            </li>
          ))}
          {e.hosts.map((h) => (
            <li key={h.host}>
              <strong>{t('edit.host', { name: h.host })}</strong> <span className="muted">{t(`edit.${h.change}`)}</span>
            </li>
          ))}
          <Problems title={t('edit.problemsAdded')} problems={e.problemsAdded} tone="bad" />
          <Problems title={t('edit.problemsFixed')} problems={e.problemsFixed} tone="good" />
          <li className="muted">
            {t('edit.digest')} <Digest value={e.digestBefore} /> → <Digest value={e.digestAfter} />
          </li>
        </ul>
      )}
    </section>
  );
}

function Problems({ title, problems, tone }: { title: string; problems: Problem[]; tone: 'good' | 'bad' }) {
  if (problems.length === 0) return null;
  return (
    <li>
      <strong>{title}</strong>
      {problems.map((p, i) => (
        <div key={i}>
          <Badge tone={tone} plain>
            <code>{p.code}</code>
          </Badge>{' '}
          <Said of="problem" code={p.code} text={p.message} />
        </div>
      ))}
    </li>
  );
}
