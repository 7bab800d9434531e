//! Documents of settings, changed whole.

use ipdect_cluster::{Key, Revision};
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::cluster::v1 as rows;

use super::{Effect, Planner, difference, stale};
use crate::directory::mistake::Mistakes;
use crate::directory::settings;

impl Planner<'_> {
    pub(super) fn put_settings(
        &mut self,
        key: &str,
        expected: Revision,
        document: admin::SettingsDocument,
        mistakes: &mut Mistakes,
    ) {
        let Some(mut scope) = document.scope else {
            mistakes.add("scope", key, "the document is empty");
            return;
        };
        let name = settings::name(&scope);
        let before = self.book.settings.get(name);
        let revision = before.map_or(0, |k| k.revision);
        if revision != expected {
            stale(mistakes);
            return;
        }
        settings::check(&scope, mistakes);
        if !mistakes.is_empty() {
            return;
        }
        let store_key = Key::Settings(name.into()).to_string();
        let mut sealed = before.map(|k| k.row.sealed.clone()).unwrap_or_default();
        if let settings::Secret::Dect(dect) = settings::secrets(&mut scope)
            && !dect.access_code.is_empty()
        {
            sealed.insert(
                "access_code".into(),
                self.seal.seal(&store_key, dect.access_code.as_bytes()),
            );
            dect.access_code.clear();
        }
        let old = before
            .and_then(|k| k.row.document.as_ref())
            .and_then(|d| d.scope.clone());
        let old = old.or_else(|| settings::default_of(name));
        self.notes.extend(difference(old.as_ref(), &scope));
        let row = rows::SettingsRow {
            document: Some(admin::SettingsDocument {
                revision: 0,
                scope: Some(scope),
            }),
            sealed,
        };
        self.guard(&store_key, revision);
        self.write(&store_key, &row);
        self.plan.effects.push(Effect::Settings(name.into(), row));
    }
}
