import { Button, Result } from 'antd';
import { useTranslation } from 'react-i18next';

/** An address without a page. */
export function NotFoundPage() {
  const { t } = useTranslation();
  return (
    <Result
      status="404"
      title={t('app.notFound')}
      extra={
        <Button type="primary" href="/">
          {t('app.toOverview')}
        </Button>
      }
    />
  );
}

/** A page that threw. */
export function CrashedPage({ error }: { error: unknown }) {
  const { t } = useTranslation();
  return (
    <Result
      status="error"
      title={t('app.crashed')}
      subTitle={
        <>
          <p>{t('app.crashedHint')}</p>
          <p className="mono break">{error instanceof Error ? error.message : String(error)}</p>
        </>
      }
      extra={
        <Button type="primary" onClick={() => location.reload()}>
          {t('app.reload')}
        </Button>
      }
    />
  );
}
