import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["tests/*.test.ts"] } },
      // Needs a built bundle and a Chromium: /usr/bin/chromium, or what CHROMIUM names.
      {
        test: {
          name: "browser",
          include: ["tests/browser/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2, // a browser each: they wait more than they work
        },
      },
    ],
  },
});
