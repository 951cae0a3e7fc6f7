export default {
  test: { globals: true, include: ['dist/**/*.spec.js'], exclude: ['**/node_modules/**'] },
};
