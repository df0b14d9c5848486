// Ask signs in to Chancery and asks whether whoever signed in may do something.
//
//	ask ACTION RESOURCE_TYPE RESOURCE
//
// The environment says where and as whom: CHANCERY_ADDRESS, CHANCERY_ACCOUNT, CHANCERY_USER_NAME, CHANCERY_PASSWORD.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	chancery "chancery/v1"
)

const patience = 10 * time.Second

func ask(connection *grpc.ClientConn, action, kind, resource string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	sessions := chancery.NewSessionServiceClient(connection)
	opened, err := sessions.CreateSession(ctx, &chancery.CreateSessionRequest{
		Account:  os.Getenv("CHANCERY_ACCOUNT"),
		UserName: os.Getenv("CHANCERY_USER_NAME"),
		Password: os.Getenv("CHANCERY_PASSWORD"),
	})
	if err != nil {
		return err
	}
	session := opened.GetSession()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+session.GetAccessToken())

	answer, err := chancery.NewAuthorizationServiceClient(connection).Authorize(ctx, &chancery.AuthorizeRequest{
		Subject:  &chancery.Subject{Type: "user", Id: session.GetUserId()},
		Action:   &chancery.Action{Name: action},
		Resource: &chancery.Resource{Type: kind, Id: resource},
	})
	if err != nil {
		return err
	}
	word := "denied"
	if answer.GetDecision() {
		word = "permitted"
	}
	fmt.Println(word, answer.GetReason())

	_, err = sessions.RevokeSession(ctx, &chancery.RevokeSessionRequest{
		UserId:    session.GetUserId(),
		SessionId: session.GetSessionId(),
	})
	return err
}

// The stable word for what went wrong: the message may change, this does not.
func reason(failed *status.Status) string {
	for _, detail := range failed.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: ask ACTION RESOURCE_TYPE RESOURCE")
		os.Exit(64)
	}
	connection, err := grpc.Dial(os.Getenv("CHANCERY_ADDRESS"), grpc.WithInsecure())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer connection.Close()
	if err := ask(connection, os.Args[1], os.Args[2], os.Args[3]); err != nil {
		failed := status.Convert(err)
		fmt.Fprintf(os.Stderr, "%s %s: %s\n", failed.Code(), reason(failed), failed.Message())
		os.Exit(1)
	}
}
