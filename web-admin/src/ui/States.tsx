import { Alert, Button, Empty, Result, Skeleton } from 'antd';
import type { TFunction } from 'i18next';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from '../api/client';

/** What a page needs to know about its query. */
export interface Reading<T> {
  data: T | undefined;
  error: Error | null;
  isFetching: boolean;
  refetch: () => unknown;
}

interface QueryViewProps<T> {
  query: Reading<T>;
  children: (data: T) => ReactNode;
  /** In place of the general texts for "not found". */
  notFound?: ReactNode;
}

/**
 * Loading, failed, forbidden, not found, or the data. A failed refresh keeps the last
 * answer on the page and says that it is old.
 */
export function QueryView<T>({ query, children, notFound }: QueryViewProps<T>) {
  const { t } = useTranslation();
  if (query.data === undefined) {
    if (!query.error) return <Loading />;
    if (notFound !== undefined && query.error instanceof ApiError && query.error.status === 404) return notFound;
    return <Failed error={query.error} retry={query.refetch} busy={query.isFetching} />;
  }
  return (
    <>
      {query.error && (
        <Alert
          className="stale"
          type="warning"
          showIcon
          title={
            <>
              {t('state.stale')} <span className="muted">{reason(query.error, t)}</span>
            </>
          }
          action={<Retry retry={query.refetch} busy={query.isFetching} />}
        />
      )}
      {children(query.data)}
    </>
  );
}

// The browser's own words for "no answer" differ by browser and say nothing.
const reason = (e: Error, t: TFunction) => (e instanceof ApiError && e.code === 'unreachable' ? t('state.unreachable') : e.message);

export function Loading() {
  const { t } = useTranslation();
  return (
    <div className="loading" role="status" aria-label={t('state.loading')}>
      <Skeleton active title={false} paragraph={{ rows: 6 }} />
    </div>
  );
}

function Retry({ retry, busy }: { retry: () => unknown; busy: boolean }) {
  const { t } = useTranslation();
  return (
    <Button size="small" loading={busy} onClick={() => void retry()}>
      {t('state.retry')}
    </Button>
  );
}

export function Failed({ error, retry, busy }: { error: Error; retry: () => unknown; busy: boolean }) {
  const { t } = useTranslation();
  const code = error instanceof ApiError ? error.code : 'internal';
  if (code === 'forbidden') return <Result status="403" title={t('state.forbidden')} subTitle={t('state.forbiddenHint')} />;
  const text = {
    unreachable: [t('state.unreachable'), t('state.unreachableHint', { origin: location.origin })],
    unavailable: [t('state.unavailable'), error.message],
    not_found: [t('state.notFound'), error.message],
  } as Partial<Record<typeof code, [string, string]>>;
  const [title, detail] = text[code] ?? [t('state.failed'), error.message];
  return (
    <div className="failed" role="alert">
      <Result
        status="error"
        title={title}
        subTitle={
          <>
            <p>{detail}</p>
            <p className="mono faint">{t('state.code', { code })}</p>
          </>
        }
        extra={<Retry retry={retry} busy={busy} />}
      />
    </div>
  );
}

interface NothingProps {
  title: ReactNode;
  hint?: ReactNode;
  action?: ReactNode;
}

/** An empty page or table that says what to do about it. */
export function Nothing({ title, hint, action }: NothingProps) {
  return (
    <Empty
      className="nothing"
      image={Empty.PRESENTED_IMAGE_SIMPLE}
      description={
        <>
          <div className="nothing-title">{title}</div>
          {hint !== undefined && <div className="muted">{hint}</div>}
        </>
      }
    >
      {action}
    </Empty>
  );
}
