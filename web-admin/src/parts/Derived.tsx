import type { TFunction } from 'i18next';
import { useTranslation } from 'react-i18next';
import type { DerivedFrom } from '../api/types';
import { Badge } from '../ui/Badge';

/** "Ingress shop/web of cluster default", or the source where it is not made from a resource. */
export function derivedText(d: DerivedFrom, t: TFunction): string {
  if (!d.name) return d.source;
  return t('derived.resource', { kind: d.kind, name: d.namespace ? `${d.namespace}/${d.name}` : d.name, cluster: d.cluster ?? 'default' });
}

/** Marks what nobody wrote, with where it is from. */
export function Derived({ from }: { from: DerivedFrom | undefined }) {
  const { t } = useTranslation();
  if (!from) return null;
  const what = derivedText(from, t);
  return (
    <Badge tone="note" title={t('derived.hint', { what })}>
      <span className="wrap">{t('derived.from', { what })}</span>
    </Badge>
  );
}
