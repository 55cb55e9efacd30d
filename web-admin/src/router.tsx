import type { RouterHistory } from '@tanstack/react-router';
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router';
import { token } from './api/token';
import { certificatesSearch } from './features/certificates/search';
import { diffSearch, fleetSearch } from './features/fleet/search';
import { LoginPage } from './features/session/LoginPage';
import { routesSearch } from './features/routes/search';
import { upstreamSearch, upstreamsSearch } from './features/upstreams/search';
import { Layout } from './Layout';
import { CrashedPage, NotFoundPage } from './ui/Lost';
import { Loading } from './ui/States';

const root = createRootRoute({ notFoundComponent: NotFoundPage, errorComponent: CrashedPage });

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: (s: Record<string, unknown>): { next?: string | undefined } => ({ next: isPath(s.next) ? s.next : undefined }),
  beforeLoad: ({ search }) => {
    if (token.get() !== null) redirect({ href: search.next ?? '/', replace: true, throw: true });
  },
  component: LoginPage,
});

// Only paths of this site: "//host" and "/\host" would lead away.
const isPath = (v: unknown): v is string => typeof v === 'string' && /^\/(?![/\\])/.test(v);

const pages = createRoute({
  getParentRoute: () => root,
  id: 'pages',
  beforeLoad: ({ location }) => {
    if (token.get() !== null) return;
    redirect({ to: '/login', search: location.href === '/' ? {} : { next: location.href }, replace: true, throw: true });
  },
  component: Layout,
});

const overview = createRoute({
  getParentRoute: () => pages,
  path: '/',
  component: lazyRouteComponent(() => import('./features/overview/OverviewPage'), 'OverviewPage'),
});

const upstreams = createRoute({
  getParentRoute: () => pages,
  path: '/upstreams',
  validateSearch: upstreamsSearch,
  component: lazyRouteComponent(() => import('./features/upstreams/UpstreamsPage'), 'UpstreamsPage'),
});

const upstream = createRoute({
  getParentRoute: () => pages,
  path: '/upstreams/$tenant/$name',
  validateSearch: upstreamSearch,
  component: lazyRouteComponent(() => import('./features/upstreams/UpstreamPage'), 'UpstreamPage'),
});

const certificates = createRoute({
  getParentRoute: () => pages,
  path: '/certificates',
  validateSearch: certificatesSearch,
  component: lazyRouteComponent(() => import('./features/certificates/CertificatesPage'), 'CertificatesPage'),
});

const routes = createRoute({
  getParentRoute: () => pages,
  path: '/routes',
  validateSearch: routesSearch,
  component: lazyRouteComponent(() => import('./features/routes/RoutesPage'), 'RoutesPage'),
});

const sources = createRoute({
  getParentRoute: () => pages,
  path: '/sources',
  component: lazyRouteComponent(() => import('./features/sources/SourcesPage'), 'SourcesPage'),
});

const fleet = createRoute({
  getParentRoute: () => pages,
  path: '/fleet',
  validateSearch: fleetSearch,
  component: lazyRouteComponent(() => import('./features/fleet/FleetPage'), 'FleetPage'),
});

const diff = createRoute({
  getParentRoute: () => pages,
  path: '/fleet/$fleet/diff',
  validateSearch: diffSearch,
  component: lazyRouteComponent(() => import('./features/fleet/DiffPage'), 'DiffPage'),
});

const routeTree = root.addChildren([login, pages.addChildren([overview, routes, upstreams, upstream, certificates, sources, fleet, diff])]);

export function newRouter(history: RouterHistory) {
  return createRouter({
    routeTree,
    history,
    defaultPendingComponent: Loading,
    defaultErrorComponent: CrashedPage,
    defaultNotFoundComponent: NotFoundPage,
    scrollRestoration: true,
  });
}

export type AppRouter = ReturnType<typeof newRouter>;

declare module '@tanstack/react-router' {
  interface Register {
    router: AppRouter;
  }
}
