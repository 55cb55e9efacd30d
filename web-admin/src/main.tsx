import 'antd/dist/reset.css';
import './ui/ui.css';
import { createBrowserHistory } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { startI18n } from './i18n';
import { newCache } from './cache';
import { newRouter } from './router';
import { nonceForStyles } from './ui/nonce';

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');

nonceForStyles();
await startI18n();
const cache = newCache();
createRoot(root).render(
  <StrictMode>
    <App cache={cache} router={newRouter(createBrowserHistory())} />
  </StrictMode>,
);
