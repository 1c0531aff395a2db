using Godwit.Api;
using Godwit.Api.Authentication.V1;
using Godwit.Api.Authorization.V1;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Security;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// Answers questions posed as objects: who am I, may I do this, what may I do. Nothing is stored. These are what
/// <c>kubectl auth whoami</c> and <c>can-i</c> send.
/// </summary>
internal static class ReviewHandler
{
    /// <summary>The question that a request poses, or null.</summary>
    public static QuestionKind? Find(RequestInfo info) =>
        BuiltInKinds.Questions.FirstOrDefault(kind => kind.Type.Group == info.Group && kind.Type.Version == info.Version && kind.Type.Plural == info.Resource);

    public static async Task HandleAsync(ApiRequest request, QuestionKind kind)
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
            "selfsubjectaccessreviews" => GodwitJson.ToObject(MayI(GodwitJson.FromNode<SelfSubjectAccessReview>(body), request)),
            _ => GodwitJson.ToObject(WhatMayI(GodwitJson.FromNode<SelfSubjectRulesReview>(body), request.User)),
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
        Status = new SelfSubjectReviewStatus { UserInfo = new UserInfo { Username = user.Name, Uid = user.Uid.Length == 0 ? null : user.Uid, Groups = user.Groups } },
    };

    private static SelfSubjectAccessReview MayI(SelfSubjectAccessReview review, ApiRequest request)
    {
        var allowed = review.Spec switch
        {
            { ResourceAttributes: { } asked, NonResourceAttributes: null } => Authorizer.Allows(request.User, RequestOf(asked)),
            { NonResourceAttributes: { } asked, ResourceAttributes: null } => Authorizer.Allows(request.User, new RequestInfo { Path = asked.Path ?? "", Verb = asked.Verb ?? "" }),
            _ => throw StatusException.Invalid(request.Info.Subject, "spec: Invalid value: exactly one of resourceAttributes and nonResourceAttributes must be given",
                [new StatusCause("FieldValueInvalid", "exactly one of resourceAttributes and nonResourceAttributes must be given", "spec")]),
        };
        return review with { Status = new SubjectAccessReviewStatus { Allowed = allowed } };
    }

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

    private static SelfSubjectRulesReview WhatMayI(SelfSubjectRulesReview review, User user) => review with
    {
        Status = new SubjectRulesReviewStatus
        {
            ResourceRules = [.. Authorizer.RulesOf(user).Select(rule => new ResourceRule { ApiGroups = [rule.Group], Resources = rule.Resources, Verbs = rule.Verbs })],
            NonResourceRules = [new NonResourceRule { Verbs = user.IsIn(User.MastersGroup) ? ["*"] : Authorizer.PathVerbs, NonResourceUrls = Authorizer.PathsOf(user) }],
        },
    };
}
