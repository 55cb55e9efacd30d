import { LogoutOutlined } from '@ant-design/icons';
import { Link, Outlet } from '@tanstack/react-router';
import { Button, Tooltip } from 'antd';
import { useTranslation } from 'react-i18next';
import { token } from './api/token';
import { LiveBadge } from './features/session/LiveBadge';
import { AppearanceSwitch, LanguageSwitch } from './ui/Switches';

/** The header with the pages, and the page below it. */
export function Layout() {
  const { t } = useTranslation();
  return (
    <>
      <header className="top">
        <Link to="/" className="brand">
          <img src="/favicon.svg" width="22" height="22" alt="" />
          {t('app.name')}
        </Link>
        <nav className="nav" aria-label={t('app.mainMenu')}>
          <Link to="/" activeOptions={{ exact: true, includeSearch: false }}>
            {t('app.overview')}
          </Link>
          <Link to="/routes" activeOptions={{ includeSearch: false }}>
            {t('app.routes')}
          </Link>
          <Link to="/upstreams" activeOptions={{ includeSearch: false }}>
            {t('app.upstreams')}
          </Link>
          <Link to="/certificates" activeOptions={{ includeSearch: false }}>
            {t('app.certificates')}
          </Link>
          <Link to="/sources" activeOptions={{ includeSearch: false }}>
            {t('app.sources')}
          </Link>
          <Link to="/fleet" activeOptions={{ includeSearch: false }}>
            {t('app.fleet')}
          </Link>
        </nav>
        <div className="top-right">
          <LiveBadge />
          <LanguageSwitch />
          <AppearanceSwitch />
          <Tooltip title={t('app.logOut')}>
            <Button type="text" icon={<LogoutOutlined />} aria-label={t('app.logOut')} onClick={() => token.clear()} />
          </Tooltip>
        </div>
      </header>
      <main className="main">
        <Outlet />
      </main>
    </>
  );
}
