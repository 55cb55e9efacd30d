import { useMutation } from '@tanstack/react-query';
import { Alert, Button, Form, Input } from 'antd';
import type { TFunction } from 'i18next';
import { useTranslation } from 'react-i18next';
import { ApiError } from '../../api/client';
import { token } from '../../api/token';
import { AppearanceSwitch, LanguageSwitch } from '../../ui/Switches';
import { tryToken } from './queries';
import './session.css';

/** Takes the admin token. The guard of the login route leads on once there is one. */
export function LoginPage() {
  const { t } = useTranslation();
  const attempt = useMutation({
    mutationFn: async (value: string) => {
      await tryToken(value);
      token.set(value);
    },
  });
  return (
    <div className="login">
      <main className="login-card">
        <header className="login-head">
          <img src="/favicon.svg" width="28" height="28" alt="" />
          <h1>{t('login.title')}</h1>
          <div className="login-switches">
            <LanguageSwitch />
            <AppearanceSwitch />
          </div>
        </header>
        {attempt.error ? (
          <Alert type="error" showIcon title={failure(attempt.error, t)} />
        ) : (
          token.wasRefused() && <Alert type="warning" showIcon title={t('login.expired')} />
        )}
        <Form<{ token: string }> layout="vertical" requiredMark={false} onFinish={(v) => attempt.mutate(v.token.trim())}>
          <Form.Item name="token" label={t('login.token')} rules={[{ required: true, whitespace: true, message: t('login.tokenMissing') }]}>
            <Input.Password autoFocus autoComplete="current-password" spellCheck={false} className="mono" />
          </Form.Item>
          <Button type="primary" htmlType="submit" block loading={attempt.isPending}>
            {t('login.submit')}
          </Button>
        </Form>
        <div className="login-where">
          <p>{t('login.where')}</p>
          <pre className="mono">{'<dataDir>/admin.token'}</pre>
          <p className="muted">{t('login.whereHint')}</p>
          <p className="muted">{t('login.kept')}</p>
        </div>
      </main>
    </div>
  );
}

function failure(e: Error, t: TFunction): string {
  if (e instanceof ApiError && e.code === 'unauthorized') return t('login.refused');
  if (e instanceof ApiError && e.code === 'unreachable') return t('state.unreachable');
  return e.message;
}
