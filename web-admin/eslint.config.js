import js from '@eslint/js';
import reactHooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import tseslint from 'typescript-eslint';

const features = ['overview', 'upstreams', 'routes', 'sources', 'certificates', 'fleet', 'session'];

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'test-results', 'src/api/schema.d.ts'] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      globals: { ...globals.browser },
      parserOptions: { projectService: { allowDefaultProject: ['eslint.config.js'] }, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
    },
  },
  { files: ['**/*.{ts,tsx}'], ...reactHooks.configs.flat.recommended },
  // Features leave each other alone: what two of them need lives in api/, parts/ or ui/.
  ...features.map((own) => ({
    files: [`src/features/${own}/**`],
    rules: {
      'no-restricted-imports': ['error', {
        patterns: features.filter((f) => f !== own).map((f) => ({
          group: [`**/features/${f}/**`, `../${f}/**`],
          message: 'Features do not import each other; move the shared part to api/, parts/ or ui/.',
        })),
      }],
    },
  })),
  { files: ['eslint.config.js'], ...tseslint.configs.disableTypeChecked },
);
