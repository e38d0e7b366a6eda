//! The evidence of an incident, from its page to the file.
use super::lifecycle::enc;
use super::*;
use tuoan_evidence::{Trust, verify};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_is_handed_out_for_a_purpose_that_is_on_record_first() {
    let it = gateway().await;
    it.hear(1, 45.6).await;
    it.seen(|v| !v.incidents.is_empty()).await;
    let id = it.incident();
    let path = format!("/incidents/{id}/evidence");
    let form = it.get(&path).await.2;
    let key = crate::evidence::site_key(it.pictures_dir()).unwrap().public();
    assert!(form.contains("导出证据") && form.contains(&key.fingerprint()) && form.contains("name=\"purpose\""), "{form}");
    let (status, _, again) = it.post(&path, &format!("name={}&purpose=x", enc("王老师"))).await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && again.contains("请写明用途"), "{again}");
    assert_eq!(it.post("/incidents/01JZ0000000000000000000000/evidence", "name=a&purpose=bb").await.0, StatusCode::NOT_FOUND);
    let other = Request::post(&path).header(header::COOKIE, &it.session).body(Body::from("name=a&purpose=bb")).unwrap();
    assert_eq!(it.send(other).await.0, StatusCode::FORBIDDEN, "another page cannot export it");

    let (status, headers, file) = it.post(&path, &format!("name={}&purpose={}&pictures=yes", enc("王老师"), enc("家长查询"))).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers[header::CONTENT_DISPOSITION], format!("attachment; filename=\"tuoan-{id}.html\"").as_str());
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    let report = verify(file.as_bytes(), &Trust { site: Some(key), witness: None }).unwrap();
    assert_eq!((report.header.made_by.as_str(), report.header.purpose.as_str()), ("王老师", "家长查询"));
    assert_eq!(report.deeds, 1, "its own export is in it, with its proof");
    assert!(report.inputs > 0 && report.events.iter().all(|e| e.incident.as_str() == id));
    let deeds = it.pipeline.handle.reader.picture_deeds(None, Some(&id), 10).unwrap();
    assert_eq!((deeds.len(), deeds[0].what.as_str(), deeds[0].reason.as_str()), (1, "export", "家长查询"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_seen_how_far_the_log_is_witnessed_and_why_not() {
    let it = gateway().await;
    it.hear(1, 45.6).await;
    it.seen(|v| !v.incidents.is_empty()).await;
    let reader = it.pipeline.handle.reader.clone();
    let (status, _, page) = it.get("/witness").await;
    let size = reader.tree_size().unwrap();
    assert!(
        status == StatusCode::OK && size > 0 && page.contains(&format!("还有 {size} 条记录没有见证")) && page.contains("从未"),
        "{page}"
    );
    // The district has seen all of it.
    let log = it.pipeline.handle.log.as_str();
    let key = crate::evidence::site_key(it.pictures_dir()).unwrap();
    let root = tuoan_evidence::tree::root(&reader, size).unwrap();
    let head = tuoan_evidence::SignedHead::sign(&key, "xingyuan", log, size, root, NOW);
    let district = tuoan_evidence::SigningKey::from_seed(&[9; 32]).unwrap();
    let seen = (head.clone(), tuoan_evidence::Countersignature::sign(&district, &head, NOW));
    it.pipeline.handle.ops.keep(crate::evidence::witness::KEPT, serde_json::to_vec(&seen).unwrap()).unwrap();
    it.pipeline.handle.ops.settled().await.unwrap();
    let page = it.get("/witness").await.2;
    assert!(page.contains("全部记录都已由区级平台见证") && page.contains(&district.public().fingerprint()), "{page}");
}
