import type { QueryClient } from '@tanstack/react-query';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { App as AntApp, ConfigProvider } from 'antd';
import enUS from 'antd/locale/en_US';
import zhCN from 'antd/locale/zh_CN';
import { useEffect } from 'react';
import { useLiveEvents } from './api/live';
import { token } from './api/token';
import { useLanguage } from './i18n';
import type { AppRouter } from './router';
import { cspNonce } from './ui/nonce';
import { themeConfig, useDark, useStill } from './ui/theme';

interface AppProps {
  cache: QueryClient;
  router: AppRouter;
}

/** The providers around the pages. The pages and their addresses are in router.tsx. */
export function App({ cache, router }: AppProps) {
  const language = useLanguage();
  const theme = themeConfig(useDark(), useStill());
  // A token that comes or goes decides which pages may be seen: ask the guards again. What
  // one token could read is nothing for the next one.
  useEffect(
    () =>
      token.subscribe(() => {
        if (token.get() === null) cache.clear();
        void router.invalidate();
      }),
    [cache, router],
  );
  return (
    <ConfigProvider
      csp={{ nonce: cspNonce() }}
      locale={language === 'zh-CN' ? zhCN : enUS}
      theme={theme}
      button={{ autoInsertSpace: false }}
    >
      <QueryClientProvider client={cache}>
        <AntApp>
          <Live />
          <RouterProvider router={router} />
        </AntApp>
      </QueryClientProvider>
    </ConfigProvider>
  );
}

function Live() {
  useLiveEvents();
  return null;
}
