using Godwit.Api;
using Godwit.Api.Authentication.V1;
using Godwit.Api.Authorization.V1;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;
using Godwit.ApiServer.Access;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Security;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// Answers questions posed as objects: who am I, may I do this, what may I do (what <c>kubectl auth whoami</c> and <c>can-i</c> send),
/// may they do this, whose token is this (what extensions and proxies send, who need a right to ask). Nothing is stored.
/// </summary>
internal sealed class ReviewHandler(Authenticator authenticator, Authorizer authorizer)
{
    /// <summary>The question that a request poses, or null.</summary>
    public static QuestionKind? Find(RequestInfo info) =>
        BuiltInKinds.Questions.FirstOrDefault(kind => kind.Type.Group == info.Group && kind.Type.Version == info.Version && kind.Type.Plural == info.Resource);

    public async Task HandleAsync(ApiRequest request, QuestionKind kind)
    {
        if (request.Info.Verb != "create" || request.Info.Name.Length > 0)
        {
            throw StatusException.MethodNotAllowed(request.Http.Request.Method);
        }

        var body = (await BodyReader.ReadObjectAsync(request, kind.Type, kind.Schema)).Value;
        FieldErrors.ThrowIfAny(SchemaCheck.Run(kind.Schema, body).Errors, request.Info.Subject);
        var answer = request.Info.Resource switch
        {
            "selfsubjectreviews" => GodwitJson.ToObject(WhoAmI(request.User)),
            "selfsubjectaccessreviews" => GodwitJson.ToObject(await MayIAsync(GodwitJson.FromNode<SelfSubjectAccessReview>(body), request)),
            "subjectaccessreviews" => GodwitJson.ToObject(await MayTheyAsync(GodwitJson.FromNode<SubjectAccessReview>(body), request)),
            "localsubjectaccessreviews" => GodwitJson.ToObject(await MayTheyHereAsync(GodwitJson.FromNode<LocalSubjectAccessReview>(body), request)),
            "tokenreviews" => GodwitJson.ToObject(await WhoseIsAsync(GodwitJson.FromNode<TokenReview>(body), request.Stopping)),
            _ => GodwitJson.ToObject(await WhatMayIAsync(GodwitJson.FromNode<SelfSubjectRulesReview>(body), request)),
        };
        answer["apiVersion"] = kind.Type.ApiVersion; // A question is answered in the version in which it is asked.
        var accepted = Negotiation.Choose(request.Http.Request.Headers.Accept.ToString());
        await Answer.WriteAsync(request, 201, accepted.Format, output =>
        {
            using var json = new System.Text.Json.Utf8JsonWriter(output, StoredForm.WriterOptions);
            answer.WriteTo(json);
        });
    }

    private static SelfSubjectReview WhoAmI(User user) => new()
    {
        Status = new SelfSubjectReviewStatus { UserInfo = InfoOf(user) },
    };

    private async Task<SelfSubjectAccessReview> MayIAsync(SelfSubjectAccessReview review, ApiRequest request) =>
        review with { Status = await MayAsync(request.User, review.Spec.ResourceAttributes, review.Spec.NonResourceAttributes, request) };

    private async Task<SubjectAccessReview> MayTheyAsync(SubjectAccessReview review, ApiRequest request) =>
        review with { Status = await MayAsync(UserOf(review.Spec, request), review.Spec.ResourceAttributes, review.Spec.NonResourceAttributes, request) };

    private async Task<LocalSubjectAccessReview> MayTheyHereAsync(LocalSubjectAccessReview review, ApiRequest request) =>
        review.Spec.ResourceAttributes is { } asked && asked.Namespace == request.Info.Namespace && review.Spec.NonResourceAttributes is null
            ? review with { Status = await MayAsync(UserOf(review.Spec, request), asked, null, request) }
            : throw Invalid(request, "spec.resourceAttributes.namespace", $"must be given, and be the namespace that is asked in, {request.Info.Namespace}");

    /// <summary>Whoever asks after nobody would be told what an anonymous user may do, and take it for somebody's right.</summary>
    private static User UserOf(SubjectAccessReviewSpec spec, ApiRequest request) => spec.User is { Length: > 0 } || spec.Groups.Count > 0
        ? new User(spec.User ?? "", spec.Groups, spec.Uid ?? "")
        : throw Invalid(request, "spec.user", "at least one of user and groups must be given");

    private async Task<SubjectAccessReviewStatus> MayAsync(User user, ResourceAttributes? resource, NonResourceAttributes? path, ApiRequest request) => new()
    {
        Allowed = (resource, path) switch
        {
            ({ } asked, null) => await authorizer.AllowsAsync(user, RequestOf(asked), request.Stopping),
            (null, { } asked) => await authorizer.AllowsAsync(user, new RequestInfo { Path = asked.Path ?? "", Verb = asked.Verb ?? "" }, request.Stopping),
            _ => throw Invalid(request, "spec", "exactly one of resourceAttributes and nonResourceAttributes must be given"),
        },
    };

    private async Task<TokenReview> WhoseIsAsync(TokenReview review, CancellationToken stopping)
    {
        var owner = review.Spec is { Token: { Length: > 0 } token, Audiences: var audiences } ? await authenticator.FindByTokenAsync(token, audiences, stopping) : null;
        return review with
        {
            Spec = review.Spec with { Token = null }, // A secret does not go where it need not.
            Status = owner is null
                ? new TokenReviewStatus { Error = "the token is not of this cluster, has ended, or is meant for others" }
                : new TokenReviewStatus { Authenticated = true, User = InfoOf(owner.User), Audiences = owner.Audiences },
        };
    }

    private static UserInfo InfoOf(User user) => new() { Username = user.Name, Uid = user.Uid.Length == 0 ? null : user.Uid, Groups = user.Groups, Extra = user.Extra };

    private static StatusException Invalid(ApiRequest request, string field, string problem) =>
        StatusException.Invalid(request.Info.Subject, $"{field}: Invalid value: {problem}", [new StatusCause("FieldValueInvalid", problem, field)]);

    private static RequestInfo RequestOf(ResourceAttributes asked) => new()
    {
        Path = "",
        IsResource = true,
        Verb = asked.Verb ?? "",
        Group = asked.Group ?? "",
        Version = asked.Version ?? "",
        Resource = asked.Resource ?? "",
        Subresource = asked.Subresource ?? "",
        Namespace = asked.Namespace ?? "",
        Name = asked.Name ?? "",
    };

    private async Task<SelfSubjectRulesReview> WhatMayIAsync(SelfSubjectRulesReview review, ApiRequest request)
    {
        var (user, rules) = (request.User, await authorizer.RulesOfAsync(request.User, review.Spec.Namespace ?? "", request.Stopping));
        return review with
        {
            Status = new SubjectRulesReviewStatus
            {
                ResourceRules = [.. rules.Where(rule => rule.Resources.Count > 0).Select(rule => new ResourceRule { ApiGroups = rule.ApiGroups, Resources = rule.Resources, ResourceNames = rule.ResourceNames, Verbs = rule.Verbs })],
                NonResourceRules = [.. rules.Where(rule => rule.NonResourceUrls.Count > 0).Select(rule => new NonResourceRule { Verbs = rule.Verbs, NonResourceUrls = rule.NonResourceUrls })],
                Incomplete = user.NodeName is not null,
                EvaluationError = user.NodeName is null ? null : "a node may also read its own pods, the Secrets and ConfigMaps that what it runs refers to, and get tokens of its pods",
            },
        };
    }
}
