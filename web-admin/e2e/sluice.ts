import type { APIRequestContext, Locator, Page } from '@playwright/test';
import { expect } from '@playwright/test';
import type { en } from '../src/i18n/en';

export const token = process.env.SLUICE_TOKEN ?? '';
if (token === '') throw new Error('set SLUICE_URL and SLUICE_TOKEN to a running sluice and its admin token (<dataDir>/admin.token)');

/** Writes the etcd registry "registry" of that sluice: a key, or with undefined its deletion; a folder ends in a slash. */
export async function register(request: APIRequestContext, key: string, value?: unknown) {
  const base = process.env.SLUICE_REGISTRY;
  if (!base) throw new Error('set SLUICE_REGISTRY to what writes keys into the registry, as test/ui does: go test ./test/ui');
  const response = value === undefined ? await request.delete(base + key) : await request.put(base + key, { data: JSON.stringify(value), headers: { 'Content-Type': 'text/plain' } });
  expect(response.ok(), `${key}: ${response.status()} ${await response.text()}`).toBe(true);
}

const headers = { Authorization: `Bearer ${token}` };

/** A call that must succeed. */
export async function call(request: APIRequestContext, method: 'put' | 'post' | 'delete', path: string, data?: unknown) {
  const response = await request[method](`/api/v1${path}`, { headers, ...(data === undefined ? {} : { data }) });
  expect(response.ok(), `${method} ${path}: ${response.status()} ${await response.text()}`).toBe(true);
}

/** What the API says now. */
export async function read<T>(request: APIRequestContext, path: string): Promise<T> {
  const response = await request.get(`/api/v1${path}`, { headers });
  expect(response.ok(), `get ${path}: ${response.status()}`).toBe(true);
  return (await response.json()) as T;
}

/**
 * Collects what a page must not do: errors on the console, exceptions, and violations of
 * the content security policy, which are events of their own too.
 */
export async function watch(page: Page): Promise<string[]> {
  const faults: string[] = [];
  page.on('console', (m) => {
    if (m.type() === 'error' || m.type() === 'warning') faults.push(`${page.url()} ${m.type()}: ${m.text()}`);
  });
  page.on('pageerror', (e) => faults.push(`${page.url()} exception: ${e.message}`));
  await page.exposeFunction('reportViolation', (v: string) => faults.push(`${page.url()} policy: ${v}`));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e) => {
      (window as unknown as { reportViolation: (v: string) => void }).reportViolation(`${e.violatedDirective} ${e.blockedURI}`);
    });
  });
  return faults;
}

export async function logIn(page: Page, words: typeof en) {
  await page.getByLabel(words.login.token).fill(token);
  await page.getByRole('button', { name: words.login.submit }).click();
  await expect(page.getByText(words.live.live, { exact: true })).toBeVisible();
}

/**
 * Chooses an option of a select. A list that is still moving, on a busy machine, may close without
 * having heard of the click: then a person, too, would try again.
 */
export async function pick(page: Page, select: Locator, name: string) {
  const option = page.locator('.ant-select-item-option').filter({ hasText: name });
  const chosen = select.locator('xpath=ancestor::*[contains(concat(" ", @class, " "), " ant-select ")][1]').filter({ hasText: name });
  await expect(async () => {
    if (!(await option.isVisible())) await select.click({ timeout: 2_000 });
    await option.click({ timeout: 2_000 });
    await expect(chosen).toBeVisible({ timeout: 2_000 });
  }).toPass();
}

/** No page is wider than its window. */
export async function fits(page: Page) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(over, `${page.url()} is ${over} px too wide`).toBeLessThanOrEqual(0);
}

export async function shot(page: Page, name: string) {
  await page.screenshot({ path: `test-results/${name}.png`, fullPage: true, animations: 'disabled' });
}
