//! Who may do what: the roles, and the one table that says for each route which of them may read and which may act.
//!
//! What must hold: a route that stands in no row is shut for everybody. Parents have no role: their page is opened by a link of its own.
use axum::http::Method;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// 负责人: everything, and the only one who lets people in.
    Director,
    /// 保育人员: what is wrong, and what is done about it.
    Carer,
    /// 安装人员: devices, cameras' set-up, maintenance.
    Installer,
    /// 检查人员: reads, for as long as the code is good; changes nothing.
    Inspector,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Director, Role::Carer, Role::Installer, Role::Inspector];

    pub fn name(self) -> &'static str {
        match self {
            Role::Director => "director",
            Role::Carer => "carer",
            Role::Installer => "installer",
            Role::Inspector => "inspector",
        }
    }
    pub fn parse(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|r| r.name() == name)
    }
    /// Signs in by a PIN on a tile instead of a password.
    pub fn by_pin(self) -> bool {
        self == Role::Carer
    }
}

/// A set of roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    pub const NOBODY: Roles = Roles(0);
    pub const EVERYBODY: Roles = Roles::of(&Role::ALL);

    pub const fn of(list: &[Role]) -> Roles {
        let (mut bits, mut n) = (0, 0);
        while n < list.len() {
            bits |= 1 << list[n] as u8;
            n += 1;
        }
        Roles(bits)
    }
    pub fn hold(self, role: Role) -> bool {
        self.0 & (1 << role as u8) != 0
    }
}

/// One route, as the router names it.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub path: &'static str,
    /// Who may GET it.
    pub read: Roles,
    /// Who may do anything else with it.
    pub act: Roles,
}

/// Who may ask for that route so. In no row: nobody.
pub fn may(table: &[Row], path: &str, method: &Method) -> Roles {
    let safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    table.iter().find(|r| r.path == path).map_or(Roles::NOBODY, |r| if safe { r.read } else { r.act })
}

/// The table as requests carry it to whoever makes their pages.
#[derive(Debug, Clone, Copy)]
pub struct Table(pub &'static [Row]);

impl Table {
    /// Whether that role may ask for this path so: what a page offers is what its reader may do. A path of no row is not behind the table, and everybody's.
    pub fn offers(self, role: Option<Role>, path: &str, method: &Method) -> bool {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        // A row that names the path itself comes before one with a place for an id.
        let row = self.0.iter().find(|r| r.path == path).or_else(|| self.0.iter().find(|r| fits(r.path, path)));
        row.is_none_or(|r| role.is_some_and(|role| may(self.0, r.path, method).hold(role)))
    }
}

fn fits(route: &str, path: &str) -> bool {
    let (mut route, mut path) = (route.split('/'), path.split('/'));
    loop {
        match (route.next(), path.next()) {
            (None, None) => return true,
            (Some(r), Some(p)) if r == p || (r.starts_with('{') && !p.is_empty()) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_offers_what_its_reader_may_do() {
        const TABLE: &[Row] = &[
            Row { path: "/a/{id}/b", read: Roles::EVERYBODY, act: Roles::of(&[Role::Director]) },
            Row { path: "/a/here/b", read: Roles::NOBODY, act: Roles::EVERYBODY },
        ];
        let offers = |role, path, method: Method| Table(TABLE).offers(role, path, &method);
        assert!(offers(Some(Role::Director), "/a/01K/b", Method::POST) && !offers(Some(Role::Carer), "/a/01K/b", Method::POST));
        assert!(offers(Some(Role::Carer), "/a/01K/b?around=2h", Method::GET) && !offers(None, "/a/01K/b", Method::GET));
        assert!(!offers(Some(Role::Director), "/a/here/b", Method::GET), "the row of the path itself");
        assert!(offers(None, "/report", Method::GET) && offers(None, "/a/01K/b/c", Method::POST) && offers(None, "/a//b", Method::GET));
    }
    #[test]
    fn what_stands_nowhere_is_shut() {
        let table = [Row { path: "/a/{id}", read: Roles::EVERYBODY, act: Roles::of(&[Role::Director]) }];
        assert_eq!(may(&table, "/a/{id}", &Method::GET), Roles::EVERYBODY);
        assert!(!may(&table, "/a/{id}", &Method::POST).hold(Role::Carer));
        assert!(may(&table, "/a/{id}", &Method::DELETE).hold(Role::Director));
        assert_eq!(may(&table, "/b", &Method::GET), Roles::NOBODY);
        for role in Role::ALL {
            assert_eq!(Role::parse(role.name()), Some(role));
            assert!(Roles::EVERYBODY.hold(role) && !Roles::NOBODY.hold(role));
        }
    }
}
