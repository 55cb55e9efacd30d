import i18next from 'i18next';
import { expect, test } from 'vitest';
import { meaning } from './codes';
import { en } from './en';
import { clock, span } from './time';
import { zh } from './zh';

type Tree = { [key: string]: string | Tree };

function flat(tree: Tree, path = ''): [string, string][] {
  return Object.entries(tree).flatMap(([k, v]): [string, string][] => (typeof v === 'string' ? [[path + k, v]] : flat(v, `${path}${k}.`)));
}

const variables = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map((m) => m[1]).sort();

// tsc sees to equal keys; this sees to equal variables, and to nothing left in English.
test('both languages fill in the same variables', () => {
  const chinese = new Map(flat(zh));
  for (const [key, text] of flat(en)) expect([key, variables(chinese.get(key) ?? '')]).toEqual([key, variables(text)]);
});

test('Chinese texts are Chinese', () => {
  const same = ['app.name', 'source.kubernetes', 'source.etcd', 'source.dns', 'fleet.nginx', 'fleet.facts', 'fleet.agent', 'step.check'];
  const left = flat(zh).filter(([key, text]) => !/[\u4e00-\u9fff]/.test(text) && !same.includes(key) && !/^[{}\s/hms]*$/.test(text.replace(/\w+/g, '')));
  expect(left).toEqual([]);
});

test('spans show two units and never run backwards', async () => {
  const t = i18next.getFixedT('en');
  expect([-5, 59_999, 60_000, 3_599_000, 3_600_000, 90_061_000].map((ms) => span(ms, t))).toEqual(['0s', '59s', '1m 0s', '59m 59s', '1h 0m', '1d 1h']);
  await i18next.loadLanguages('zh-CN');
  expect(span(252_000, i18next.getFixedT('zh-CN'))).toBe('4 分 12 秒');
});

test('the clock leaves out what is the same as now', () => {
  const now = new Date(2026, 10, 21, 4, 0, 0);
  expect(clock(new Date(2026, 10, 21, 3, 2, 1), now)).toBe('03:02:01');
  expect(clock(new Date(2026, 10, 20, 3, 2, 1), now)).toBe('11-20 03:02:01');
  expect(clock(new Date(2025, 10, 20, 3, 2, 1), now)).toBe('2025-11-20 03:02:01');
});

test('codes mean something in Chinese; English, and codes that are not known, are left to the server', () => {
  expect(meaning('problem', 'host_taken', 'zh-CN')).toBe('域名已被其他租户占用');
  expect(meaning('rule', 'error_ratio', 'zh-CN')).toBe('错误比例过高');
  expect([meaning('problem', 'host_taken', 'en'), meaning('problem', 'of_tomorrow', 'zh-CN'), meaning('rule', 'constructor', 'zh-CN'), meaning('rule', undefined, 'zh-CN')]).toEqual([undefined, undefined, undefined, undefined]);
});
